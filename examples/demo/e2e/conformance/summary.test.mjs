// promtool finds nothing to say about summaries, with and without anything observed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { push, samples, scrape, startAggregatorOn } from "../support/aggregator.mjs";
import { promtoolCheck } from "../support/prometheus.mjs";

const SCHEMA = `
[[family]]
name = "wait_seconds"
type = "summary"
unit = "seconds"
help = "Time until an answer."

[[family]]
name = "step_seconds"
type = "summary"
help = "Time by step."
labels = [{ name = "step", max_values = 3 }]
resolution = 0.01
`;

let aggregator;
before(async () => {
  aggregator = await startAggregatorOn(SCHEMA);
});
after(() => aggregator?.stop());

const checked = async () => {
  const { text } = await scrape(aggregator.metricsUrl);
  assert.deepEqual(await promtoolCheck(text), { code: 0, output: "" });
  return samples(text);
};

test("before any push there are totals and no quantiles", async () => {
  const now = await checked();
  assert.equal(now.get("wait_seconds_count"), 0);
  assert.equal([...now.keys()].filter((series) => series.includes("quantile=")).length, 0);
});

test("after pushes there are both", async () => {
  const m = { wait_seconds: [[0.1, 98], 5, 9], "step_seconds;step=dns": [0.02, 0.5] };
  const report = await push(aggregator.publicUrl, "/lm", JSON.stringify({ lm: 1, id: "AAAAAAAAAAAAAAAA", m }));
  assert.deepEqual(report.refused, {});
  const now = await checked();
  assert.equal(now.get('wait_seconds{quantile="0.5"}'), 0.1);
  const p99 = now.get('wait_seconds{quantile="0.99"}');
  assert.ok(Math.abs(p99 / 5 - 1) < 0.01, `${p99}`);
  assert.equal(now.get("wait_seconds_count"), 100);
  assert.equal(now.get('step_seconds{step="dns",quantile="0.5"}'), 0.02);
});
