// A service's own registry and what its pages sent, one in the other: promtool, Python's client and a real
// Prometheus read both, and find the same.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { push, scrape, startRegistry } from "../support/aggregator.mjs";
import { fromXtask } from "../support/processes.mjs";
import { promtoolCheck, startPrometheus } from "../support/prometheus.mjs";

const READER = fileURLToPath(new URL("exposition.py", import.meta.url));

let service;
before(async () => {
  service = await startRegistry();
  const m = { "pages_shown_total": 7, "page_load_seconds;page=/quote\"back\\new\nline": [0.3, [2, 4]] };
  const report = await push(service.url, "/lm", JSON.stringify({ lm: 1, id: "AAAAAAAAAAAAAAAA", m }));
  assert.deepEqual(report.refused, {}, "every family took its samples");
});
after(() => service?.stop());

/** What an address answers to an Accept header, as prometheus_client reads it, without lastmile's own. */
const read = async (url, accept) => {
  const answer = await fetch(url, { headers: { Accept: accept } });
  assert.equal(answer.status, 200);
  const input = Buffer.from(await answer.arrayBuffer());
  const env = { ...process.env, PYTHONPATH: fromXtask("E2E_PYTHONPATH") };
  const { status, stdout, stderr } = spawnSync("python3", [READER, answer.headers.get("content-type")], { input, env });
  assert.equal(status, 0, `${url}: ${accept}: ${stderr}\n${input}`);
  const found = {};
  for (const family of JSON.parse(stdout).filter(({ name }) => !/^(lastmile|metrics)_/.test(name))) {
    for (const { name, labels, value } of family.samples) {
      if (labels.le) labels.le = String(Number(labels.le.replace("+Inf", "Infinity")));
      const key = JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
      assert.ok(!(key in found), `${key} comes once`);
      found[key] = value;
    }
  }
  return found;
};

const OPEN_METRICS = "application/openmetrics-text;version=1.0.0";

test("promtool finds nothing to say", async () => {
  const { text } = await scrape(service.metricsUrl);
  assert.deepEqual(await promtoolCheck(text), { code: 0, output: "" });
  assert.match(text, /^shop_query_seconds_bucket\{le="0.05"\} 1$/m);
  assert.match(text, /^lastmile_appended_families\{result="invalid"\} 0$/m);
});

test("every format of ours, and the registry's own, hold the same samples", async () => {
  const ours = await read(service.metricsUrl, OPEN_METRICS);
  for (const accept of ["text/plain;version=0.0.4", "text/plain;version=1.0.0;escaping=underscores"]) {
    assert.deepEqual(await read(service.metricsUrl, accept), ours, accept);
  }
  assert.deepEqual(await read(service.hostUrl, OPEN_METRICS), ours);
  for (const [key, value] of [
    [["shop_orders_total", []], "3.0"],
    [["shop_query_seconds_sum", []], "0.02"],
    [["shop_build_info", [["version", "0.1.0"]]], "1.0"],
    [["pages_shown_total", []], "7.0"],
    [["page_load_seconds_count", [["page", '/quote"back\\new\nline']]], "5.0"],
  ]) {
    assert.equal(ours[JSON.stringify(key)], value, JSON.stringify(key));
  }
});

test("Prometheus stores both", async () => {
  const prometheus = await startPrometheus({ ours: service.metricsUrl, host: service.hostUrl });
  try {
    for (const job of ["ours", "host"]) {
      await prometheus.untilNumber(`shop_orders_total{job="${job}"}`, 3);
      await prometheus.untilNumber(`shop_query_seconds_bucket{job="${job}",le="0.05"}`, 1);
      await prometheus.untilNumber(`pages_shown_total{job="${job}"}`, 7);
      await prometheus.untilNumber(`sum(page_load_seconds_count{job="${job}"})`, 5);
    }
    assert.equal(await prometheus.number("min(up)"), 1);
  } finally {
    await prometheus.stop();
  }
});
