// promtool finds nothing to say about the default schema's exposition.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { push, samples, scrape, startAggregator } from "../support/aggregator.mjs";
import { promtoolCheck } from "../support/prometheus.mjs";

// The default schema: each family and its labels.
const FAMILIES = {
  client_web_vital_seconds: ["name", "page"],
  client_layout_shift: ["page"],
  client_navigation_seconds: ["phase"],
  client_page_loads_total: ["type"],
  client_errors_total: ["kind"],
  client_user_seconds_total: [],
  client_long_frame_seconds: [],
  client_soft_navigations_total: [],
  client_ping_seconds: ["target"],
  client_ping_failures_total: ["target", "reason"],
  client_websocket_total: ["target", "result"],
  client_websocket_open_seconds: ["target"],
  client_websocket_lifetime_seconds: ["target"],
  client_websocket_close_total: ["target", "code"],
  client_dropped_total: ["reason"],
  browser_network_errors_total: ["phase", "type"],
  browser_network_error_seconds: ["phase"],
  browser_csp_violations_total: ["directive", "disposition"],
  browser_crashes_total: ["reason"],
  browser_reports_total: ["type", "id"],
};

let aggregator;
before(async () => {
  aggregator = await startAggregator();
});
after(() => aggregator?.stop());

const checked = async () => {
  const { text, contentType } = await scrape(aggregator.metricsUrl);
  assert.equal(contentType, "text/plain; version=0.0.4; charset=utf-8");
  assert.deepEqual(await promtoolCheck(text), { code: 0, output: "" });
  return text;
};

test("before any push", checked);

test("after a push to every family, and pushes that were refused", async () => {
  const m = {};
  for (const [name, labels] of Object.entries(FAMILIES)) {
    // "/home" is a page; as any other label's value it is as good as another.
    const key = [name, ...labels.map((label) => `${label}=/home`)].join(";");
    m[key] = name.endsWith("_total") ? 1 : [0.1, [2.5, 3]];
  }
  const report = await push(aggregator.publicUrl, "/lm", JSON.stringify({ lm: 1, id: "AAAAAAAAAAAAAAAA", m }));
  assert.equal(report.status, 200);
  assert.deepEqual(report.refused, {}, "every family took its samples");
  await push(aggregator.publicUrl, "/record", '[{"metricName":"nobody_knows_it","inc":1}]');
  await push(aggregator.publicUrl, "/record", "not JSON");

  const text = await checked();
  const declared = [...text.matchAll(/^# TYPE ((?:client|browser)_\S+) /gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(FAMILIES).sort());
  const now = [...samples(text)];
  for (const name of declared) {
    const counted = name.endsWith("_total") ? name : `${name}_count`;
    const shown = now.some(([series, value]) => series.split("{")[0] === counted && value > 0);
    assert.ok(shown, `${name} shows what was pushed`);
  }
  assert.equal(samples(text).get('lastmile_refused_total{reason="unknown_family"}'), 1);
});
