// Python's own client library reads every text format, and finds the same samples in each.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { push, startAggregatorOn } from "../support/aggregator.mjs";
import { HOST_EXEMPLARS, HOST_OPEN_METRICS } from "../support/exemplars.mjs";
import { fromXtask } from "../support/processes.mjs";

const READER = fileURLToPath(new URL("exposition.py", import.meta.url));

const SCHEMA = `
[[family]]
name = "loads_total"
type = "counter"
help = 'Loads: "all" of them \\ and more.'
labels = [{ name = "app", max_values = 9 }]
[[family]]
name = "hits"
type = "counter"
[[family]]
name = "my.loads_total"
type = "counter"
labels = [{ name = "app.name", max_values = 9 }]
[[family]]
name = "connected"
type = "gauge"
[[family]]
name = "wait_seconds"
type = "histogram"
unit = "seconds"
bounds = [0.05, 1, 1e6]
labels = [{ name = "page", max_values = 9 }]
[[family]]
name = "my.wait_seconds"
type = "histogram"
unit = "seconds"
bounds = [1]
`;

const SAMPLES = {
  "loads_total;app=quote\"back\\new\n": 3,
  "hits": 2.5,
  "my.loads_total;app.name=花": 4,
  "connected": 7,
  "wait_seconds;page=/": [0.01, [2, 5]],
  "my.wait_seconds": [0.5, 3],
};

let aggregator;
before(async () => {
  aggregator = await startAggregatorOn(SCHEMA);
  const body = JSON.stringify({ lm: 1, id: "AAAAAAAAAAAAAAAA", m: SAMPLES });
  const report = await push(aggregator.publicUrl, "/lm", body);
  assert.deepEqual(report.refused, {}, "every family took its samples");
});
after(() => aggregator?.stop());

/** An exposition as prometheus_client reads it. */
const readText = (contentType, input) => {
  const env = { ...process.env, PYTHONPATH: fromXtask("E2E_PYTHONPATH") };
  const { status, stdout, stderr } = spawnSync("python3", [READER, contentType], { input, env });
  assert.equal(status, 0, `${contentType}: ${stderr}`);
  return JSON.parse(stdout);
};

/** What the server answers to an Accept header, as prometheus_client reads it. */
const read = async (accept) => {
  const answer = await fetch(aggregator.metricsUrl, { headers: { Accept: accept } });
  assert.equal(answer.status, 200, accept);
  const contentType = answer.headers.get("content-type");
  return { contentType, families: readText(contentType, Buffer.from(await answer.arrayBuffer())) };
};

/** The samples that the push made: each with its labels, and its value. */
const samples = (families) => {
  const found = {};
  for (const family of families) {
    if (/^(lastmile|metrics)_/.test(family.name)) continue;
    for (const { name, labels, value } of family.samples) {
      const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
      // The library's text parser calls every counter `_total`, this one too.
      const key = JSON.stringify([name === "hits_total" ? "hits" : name, sorted]);
      assert.ok(!(key in found), `${key} comes once`);
      found[key] = value;
    }
  }
  return found;
};

const OPEN_METRICS = "application/openmetrics-text;version=1.0.0";
const FORMATS = {
  "text 0.0.4": ["text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"],
  "text 1.0.0": [
    "text/plain;version=1.0.0;escaping=underscores",
    "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
  ],
  "OpenMetrics": [
    `${OPEN_METRICS};escaping=underscores`,
    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
  ],
};

test("every format holds the same samples under names without quotes", async () => {
  const all = [];
  for (const [format, [accept, type]] of Object.entries(FORMATS)) {
    const { contentType, families } = await read(accept);
    assert.equal(contentType, type, format);
    all.push(samples(families));
  }
  assert.deepEqual(all[1], all[0]);
  assert.deepEqual(all[2], all[0]);
  const label = 'quote"back\\new\n';
  assert.equal(all[0][JSON.stringify(["loads_total", [["app", label]]])], "3.0");
  assert.equal(all[0][JSON.stringify(["my_loads_total", [["app_name", "花"]]])], "4.0");
  assert.equal(all[0][JSON.stringify(["wait_seconds_bucket", [["le", "1e+06"], ["page", "/"]]])], "6.0");
});

test("names of any UTF-8 are the same in text and OpenMetrics", async () => {
  const text = await read("text/plain;version=1.0.0;escaping=allow-utf-8");
  const openMetrics = await read(`${OPEN_METRICS};escaping=allow-utf-8`);
  assert.deepEqual(samples(openMetrics.families), samples(text.families));
  const family = (name) => openMetrics.families.find((family) => family.name === name);
  assert.equal(family("my.loads").type, "counter");
  assert.equal(family("my.wait_seconds").unit, "seconds");
  assert.equal(family("hits").type, "unknown", "no `_total`, so no counter of OpenMetrics");
  assert.equal(family("loads").help, 'Loads: "all" of them \\ and more.');
});

for (const escaping of ["dots", "values"]) {
  test(`names escaped as ${escaping} are the same in text and OpenMetrics`, async () => {
    const text = await read(`text/plain;version=1.0.0;escaping=${escaping}`);
    const openMetrics = await read(`${OPEN_METRICS};escaping=${escaping}`);
    assert.deepEqual(samples(openMetrics.families), samples(text.families));
  });
}

test("exemplars of a host are read as they were given", () => {
  const found = {};
  for (const { name, samples } of readText("application/openmetrics-text; version=1.0.0", HOST_OPEN_METRICS)) {
    for (const { labels, exemplar } of samples) {
      if (!exemplar) continue;
      const [given, value, at] = exemplar;
      (found[name] ??= []).push([labels.le, given, Number(value), at]);
    }
  }
  assert.deepEqual(found, HOST_EXEMPLARS);
});
