// What the tests of this folder share: an aggregator that can restart, what was pushed to it, and the
// Prometheus servers that read it.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { samples, scrape, startAggregatorAt } from "../support/aggregator.mjs";
import { stored } from "../support/increase.mjs";
import { startLedger } from "../support/ledger.mjs";
import { freePort, keeper, until } from "../support/processes.mjs";
import { startPrometheus } from "../support/prometheus.mjs";
import { disturbance, within } from "../support/rhythm.mjs";

/** The first page of `folded_total` takes the only place; all others are counted as `other`. */
const KEPT = "kept";

const SCHEMA = `
[[family]]
name = "clicks_total"
type = "counter"
labels = [{ name = "button", values = ["ask", "show", "leave"] }]
[[family]]
name = "load_seconds"
type = "histogram"
bounds = [0.5, 1, 2]
labels = [{ name = "app", values = ["student", "teacher"] }]
[[family]]
name = "views_total"
type = "counter"
ttl = "4s"
labels = [{ name = "page", max_values = 2000 }]
[[family]]
name = "wait_seconds"
type = "histogram"
bounds = [0.5, 1, 2]
ttl = "4s"
labels = [{ name = "page", max_values = 2000 }]
[[family]]
name = "folded_total"
type = "counter"
labels = [{ name = "page", max_values = 1 }]
`;

/** All that a ledger knows of: the families above, and one of the aggregator's own. */
const SELECTOR = '{__name__=~"(clicks|views|folded|lastmile_samples)_total|(load|wait)_seconds_(count|sum|bucket)"}';

/** The one job of every Prometheus here. */
export const job = (metricsUrl) => ({ readers: metricsUrl });

/** Between two batches: some are counted in each tenth of a second. */
const STEP_MILLIS = 50;

/** A scenario is told so often at most, as long as the machine disturbs it. */
const ATTEMPTS = 3;

/** Thrown where the machine, not the aggregator, made a scenario prove nothing. */
export class Disturbed extends Error {}

/** Increments of series whose labels are all closed. Sums are of halves and quarters, which are exact. */
export const closed = () => ({
  "clicks_total;button=ask": 1,
  "load_seconds;app=student": [0.25, [0.75, 2], 3.5],
});

/** The same, and a series that is new with the `i`-th batch, one that is a little older, and `other`. */
export const births = (prefix) => (i) => ({
  ...closed(),
  [`views_total;page=${prefix}${i}`]: 2,
  [`wait_seconds;page=${prefix}${i}`]: [0.25, [1.5, 2]],
  [`folded_total;page=${i === 0 ? KEPT : `${prefix}${i}`}`]: 1,
  ...(i < 7 ? {} : { [`views_total;page=${prefix}${i - 7}`]: 1, [`wait_seconds;page=${prefix}${i - 7}`]: [0.75] }),
});

/** An aggregator, on ports that it keeps when it restarts. */
const startTold = async () => {
  const kept = keeper();
  const folder = await mkdtemp(join(tmpdir(), "lastmile-readers-"));
  const schema = join(folder, "schema.toml");
  await writeFile(schema, SCHEMA);
  kept.add({ stop: () => rm(folder, { recursive: true }) });
  const addresses = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const [publicUrl, metricsUrl] = [`http://${addresses[0]}`, `http://${addresses[1]}/metrics`];
  const ledger = startLedger({
    bounds: [0.5, 1, 2],
    countedAs: (family, labels) =>
      (family === "folded_total" && labels.page !== KEPT ? { page: "other" } : labels),
  });
  let aggregator;
  const lives = [];
  const readers = new Map();
  const begin = async () => {
    const starting = startAggregatorAt(...addresses, "--schema", schema, "--log", "warn");
    aggregator = await starting.catch((error) => {
      // While nobody listened there, the system may have given a port of ours to another program.
      throw error.message.includes("it is in use") ? new Disturbed(error.message) : error;
    });
    lives.push({ from: Date.now() });
  };

  const story = {
    metricsUrl,
    ledger,
    lives,
    begin,

    /** Has `thing` stopped with all else. */
    add: kept.add,

    /** Adds a Prometheus, by the name that failures give it. */
    reads: async (name, options, url = metricsUrl) => {
      const prometheus = kept.add(await startPrometheus(job(url), options));
      readers.set(name, prometheus);
      return prometheus;
    },

    push: (m) => ledger.push(publicUrl, m),

    /** Pushes batch after batch for so long: at every moment between scrapes. */
    pushFor: async (seconds, batch) => {
      const began = Date.now();
      for (let i = 0; i * STEP_MILLIS < seconds * 1000; i++) {
        await sleep(Math.max(0, began + i * STEP_MILLIS - Date.now()));
        await story.push(batch(i));
      }
    },

    /** Pushes second after second until `done` is; `births(prefix)` gives the batches of each. */
    pushWhile: async (done, batches) => {
      let isDone = false;
      const over = done.finally(() => { isDone = true; });
      over.catch(() => {}); // it is awaited below, after the batch that may be under way
      for (let i = 0; !isDone; i++) await story.pushFor(1, batches(`part${i}page`));
      await over;
    },

    /** Ends the aggregator, by `stop` or `kill`, and starts it at the same addresses. */
    restart: async (how) => {
      lives.at(-1).to = Date.now();
      await aggregator[how]();
      await begin();
    },

    /** Waits until each reader has begun and ended `n` scrapes since then. */
    untilScraped: async (n, since = Date.now(), names = [...readers.keys()]) => {
      for (const name of names) {
        const prometheus = readers.get(name);
        const enough = async () =>
          within(await prometheus.scrapes(), { from: since }).filter(({ up }) => up).length >= n || undefined;
        const patience = { seconds: 30 + 2 * n * prometheus.seconds, everyMillis: 250 };
        await until(`${n} scrapes by ${name}`, enough, patience);
      }
    },

    /** Waits until the series of families with a time to live are gone. */
    untilExpired: () =>
      until("idle series leave", async () => {
        const { text } = await scrape(metricsUrl);
        const there = [...samples(text).keys()].some((series) => /^(views|wait)_/.test(series));
        return there ? undefined : true;
      }, { seconds: 60, everyMillis: 200 }),

    /** What this reader cannot compute exactly as it was counted, among the series that `of` takes. */
    misread: async (name, of = () => true) => {
      const all = await stored(readers.get(name), SELECTOR);
      const wrong = [];
      for (const series of new Set([...all.keys(), ...ledger.counted.keys()])) {
        const read = all.get(series)?.increase ?? "nothing";
        const wanted = ledger.counted.get(series) ?? 0;
        if (of(series) && read !== wanted) wrong.push(`${series}: ${read} instead of ${wanted}`);
      }
      return wrong;
    },
    assertExact: async (name, of) =>
      assert.deepEqual(await story.misread(name, of), [], `the increases that ${name} can compute`),

    /** Asserts that this reader saw no fall, no increase that there was not, and all values in the end. */
    assertNoneTooMany: async (name) => {
      const wrong = [];
      for (const [series, { increase, falls, last }] of await stored(readers.get(name), SELECTOR)) {
        const wanted = ledger.counted.get(series) ?? 0;
        if (falls > 0) wrong.push(`${series}: fell ${falls} times`);
        if (increase > wanted) wrong.push(`${series}: an increase of ${increase} instead of ${wanted}`);
        if (last !== wanted) wrong.push(`${series}: at ${last} instead of ${wanted}`);
      }
      assert.deepEqual(wrong, [], `what ${name} stored`);
    },

    scrapes: async (name, life) => within(await readers.get(name).scrapes(), life),

    /** What put these readers out of their rhythm, if anything did. */
    disturbance: async (names = [...readers.keys()]) => {
      for (const name of names) {
        const found = disturbance(await readers.get(name).scrapes(), lives);
        if (found) return `${name}: ${found}`;
      }
      return undefined;
    },

    stop: async () => {
      await kept.stop();
      await aggregator?.stop();
    },
  };
  return story;
};

/**
 * Tells a story: `tell(story)` with an aggregator of its own. If it fails and one of the readers named
 * in `rhythmic` was out of its rhythm, which only a busy machine can bring about, it is told once more.
 */
export const told = async (test, rhythmic, tell) => {
  for (let attempt = 1; ; attempt++) {
    const story = await startTold();
    try {
      return await tell(story);
    } catch (error) {
      const disturbance = () => story.disturbance(rhythmic).catch(() => undefined);
      const why = error instanceof Disturbed ? error.message : await disturbance();
      if (!why || attempt === ATTEMPTS) throw error;
      test.diagnostic(`disturbed, so once more: ${why}`);
    } finally {
      await story.stop();
    }
  }
};
