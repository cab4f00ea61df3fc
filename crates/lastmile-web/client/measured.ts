// What was counted since the last batch, and how a batch is written.

import type { Labels } from "./types.js";

/** Of each series the sum of its increments, or how often each value was observed. */
export interface Measured {
  sums: Map<string, number>;
  counts: Map<string, Map<number, number>>;
  /** About how long it will be as text. */
  bytes: number;
}

/** A pair `[value, count]` of `lm1` has at most this count. */
const COUNT_MAX = 10_000;
/** Of a name or value. No server takes one that is as long, and it would drive out what else waits to be sent. */
const CHARS_MAX = 1_000;

export const nothing = (): Measured => ({ sums: new Map(), counts: new Map(), bytes: 0 });

// `%`, `;` and `=` are what keys are made of. To compile an expression for them would be felt as a page loads.
const escaped = (text: unknown): string =>
  String(text).slice(0, CHARS_MAX).split("%").join("%25").split(";").join("%3b").split("=").join("%3d");

/** The name of a series in `lm1`, with its labels in order, which the server reads fastest. */
export const seriesKey = (name: string, labels?: Labels | null): string => {
  const key = escaped(name);
  if (!labels) return key;
  return [key, ...Object.keys(labels).sort().map((label) => escaped(label) + "=" + escaped(labels[label]))].join(";");
};

export const increment = (to: Measured, key: string, by: number): void => {
  const sum = to.sums.get(key);
  if (sum === undefined) to.bytes += key.length + 12;
  to.sums.set(key, (sum || 0) + by);
};

/** Three digits are kept: half a per cent at most, and values that are equal then share a place. */
export const observe = (to: Measured, key: string, value: number, times = 1): void => {
  const rounded = Number(value.toPrecision(3));
  let seen = to.counts.get(key);
  if (!seen) {
    to.counts.set(key, (seen = new Map()));
    to.bytes += key.length + 8;
  }
  if (!seen.has(rounded)) to.bytes += 10;
  seen.set(rounded, (seen.get(rounded) || 0) + times);
};

export const addAll = (to: Measured, from: Measured): void => {
  from.sums.forEach((sum, key) => increment(to, key, sum));
  from.counts.forEach((seen, key) => seen.forEach((times, value) => observe(to, key, value, times)));
};

const observations = (seen: Map<number, number>): string => {
  const written: string[] = [];
  seen.forEach((times, value) => {
    for (; times > COUNT_MAX; times -= COUNT_MAX) written.push(`[${value},${COUNT_MAX}]`);
    written.push(times > 1 ? `[${value},${times}]` : `${value}`);
  });
  return written.join();
};

/** Of an id: 96 bits, in characters that need no escaping. */
const ID_CHARS = 16;

let drawn = ""; // for 16 ids, as to draw costs as much as to write a line

const randomId = (): string => {
  drawn ||= btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(192)))).replace(/\+/g, "-").replace(/\//g, "_");
  const id = drawn.slice(0, ID_CHARS);
  drawn = drawn.slice(ID_CHARS);
  return id;
};

/** A batch: one line of `lm1` under an id of its own, which never changes. */
export const line = (measured: Measured, weight: number): string => {
  const members: string[] = [];
  // 0.1 + 0.2 is 0.3 again. Most sums are whole, and to write one so costs as much as all else of its member.
  measured.sums.forEach((sum, key) => members.push(JSON.stringify(key) + ":" + (sum % 1 ? Number(sum.toPrecision(15)) : sum)));
  measured.counts.forEach((seen, key) => members.push(JSON.stringify(key) + ":[" + observations(seen) + "]"));
  return `{"lm":1,"id":"${randomId()}",${weight > 1 ? `"w":${weight},` : ""}"m":{${members.join()}}}`;
};
