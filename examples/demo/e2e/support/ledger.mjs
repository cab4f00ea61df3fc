// Pushes, and the account of what they must come to.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

import { push } from "./aggregator.mjs";
import { seriesName } from "./increase.mjs";

/** Every so many batches one is sent twice, as a browser does whose connection breaks. */
const TWICE_EVERY = 10;

/**
 * An account of `lm1` batches: `{ counted, sent, push(publicUrl, m) }`. `counted` says by how much each
 * series must have risen since the beginning; `sent` has the times between which each batch was counted.
 * `bounds` are those of every histogram. `countedAs(family, labels)` gives the labels under which the
 * aggregator counts a sample, where they are not those of the push.
 */
export const startLedger = ({ bounds, countedAs = (_, labels) => labels }) => {
  const counted = new Map();
  const sent = [];
  const add = (name, labels, amount) => {
    const series = seriesName({ __name__: name, ...labels });
    counted.set(series, (counted.get(series) ?? 0) + amount);
  };
  const observe = (name, labels, observations) => {
    for (const observation of observations) {
      const [value, n] = [observation].flat().concat(1);
      add(`${name}_count`, labels, n);
      add(`${name}_sum`, labels, n * value);
      for (const bound of bounds) add(`${name}_bucket`, { ...labels, le: bound.toFixed(1) }, value <= bound ? n : 0);
      add(`${name}_bucket`, { ...labels, le: "+Inf" }, n);
    }
  };

  return {
    counted,
    sent,
    push: async (publicUrl, m) => {
      const body = JSON.stringify({ lm: 1, id: randomBytes(12).toString("base64url"), m });
      const from = Date.now();
      const report = await push(publicUrl, "/lm", body);
      sent.push({ from, to: Date.now() });
      assert.deepEqual({ ...report, accepted: 0 }, { status: 200, accepted: 0, refused: {} });
      add("lastmile_samples_total", { format: "lm1" }, report.accepted);
      for (const [key, value] of Object.entries(m)) {
        const [name, ...pairs] = key.split(";");
        const labels = countedAs(name, Object.fromEntries(pairs.map((pair) => pair.split("="))));
        if (Array.isArray(value)) observe(name, labels, value);
        else add(name, labels, value);
      }
      if (sent.length % TWICE_EVERY === 0) {
        const again = await push(publicUrl, "/lm", body);
        assert.equal(again.accepted, 0, "a batch that came before is not counted again");
      }
    },
  };
};
