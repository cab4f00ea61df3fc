// The Big List of Naughty Strings as label values: each comes back from Prometheus as it went in.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { push, scrape, startAggregatorOn } from "../support/aggregator.mjs";
import { fromXtask } from "../support/processes.mjs";
import { promtoolCheck, startPrometheus } from "../support/prometheus.mjs";

const SCHEMA = `
[[family]]
name = "naughty_total"
type = "counter"
help = "One for each string."
labels = [{ name = "text", max_values = 2000, max_bytes = 2048 }, { name = "by", values = ["lm", "record"] }]
`;
const BODY_BYTES = 50_000; // below the wire's cap of 64 KiB
const ENTRY_BYTES = 120; // what surrounds a string on the wire, at most

let aggregator;
let prometheus;
before(async () => {
  aggregator = await startAggregatorOn(SCHEMA);
  prometheus = await startPrometheus({ naughty: aggregator.metricsUrl });
});
after(async () => {
  await prometheus?.stop();
  await aggregator?.stop();
});

/** Cuts a list so that each part, as JSON, is a body that the server takes. */
const parts = (entries) => {
  const cut = [[]];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(JSON.stringify(entry)) + ENTRY_BYTES;
    if (bytes + size > BODY_BYTES) {
      cut.push([]);
      bytes = 0;
    }
    cut.at(-1).push(entry);
    bytes += size;
  }
  return cut;
};

test("naughty strings are data", async () => {
  const list = JSON.parse(await readFile(join(fromXtask("E2E_CONFORMANCE"), "naughty-strings/blns.json"), "utf8"));
  const strings = [...new Set(list)];
  assert.ok(strings.length > 400, `${strings.length} strings`);

  const refused = {};
  let accepted = 0;
  const take = (report) => {
    assert.equal(report.status, 200);
    accepted += report.accepted;
    for (const [reason, n] of Object.entries(report.refused)) refused[reason] = (refused[reason] ?? 0) + n;
  };
  for (const part of parts(strings)) {
    const entries = part.map((text) => ({ metricName: "naughty_total", metricType: "counter", labels: { text, by: "record" }, inc: 1 }));
    take(await push(aggregator.publicUrl, "/record", JSON.stringify(entries)));
    const escaped = (text) => text.replace(/[%;=]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
    const m = Object.fromEntries(part.map((text) => [`naughty_total;by=lm;text=${escaped(text)}`, 1]));
    take(await push(aggregator.publicUrl, "/lm", JSON.stringify({ lm: 1, m })));
  }
  assert.deepEqual(refused, {});
  assert.equal(accepted, 2 * strings.length);

  const { text } = await scrape(aggregator.metricsUrl);
  const promtool = await promtoolCheck(text);
  assert.equal(promtool.code, 0, promtool.output);

  for (const by of ["lm", "record"]) {
    await prometheus.untilNumber(`sum(naughty_total{by="${by}"})`, strings.length);
    const back = await prometheus.query(`naughty_total{by="${by}"}`);
    // To Prometheus an empty label is no label.
    const texts = back.map(({ metric }) => metric.text ?? "");
    assert.deepEqual(texts.sort(), [...strings].sort());
  }
  assert.equal(await prometheus.number("min_over_time(up[1h])"), 1);
});
