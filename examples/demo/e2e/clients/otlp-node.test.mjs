// OpenTelemetry's SDK for JavaScript with both of its exporters over HTTP, in both temporalities: what is scraped is
// what was counted, however often it is pushed, and never more, whatever the server forgot.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { OTLPMetricExporter as JsonExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtoExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";

import { samples, scrape, startAggregatorAt, startAggregatorOn } from "../support/aggregator.mjs";
import { freePort, keeper } from "../support/processes.mjs";
import { BOUNDS, ROUNDS, SCHEMA, checkTotals, own, start } from "./otlp.mjs";

const EXPORTERS = { otlp_json: JsonExporter, otlp_protobuf: ProtoExporter };
const TEMPORALITIES = { delta: AggregationTemporality.DELTA, cumulative: AggregationTemporality.CUMULATIVE };

/** A meter that is pushed when asked to: `{ meter, push(), stop() }`. */
const provider = (Exporter, temporality, publicUrl, service) => {
  const exporter = new Exporter({
    url: `${publicUrl}/v1/metrics`,
    temporalityPreference: temporality,
    compression: service.length % 2 === 0 ? "gzip" : "none",
  });
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e8 });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": service }),
    readers: [reader],
    views: [
      { instrumentName: "step", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } },
    ],
  });
  return {
    meter: provider.getMeter("e2e"),
    push: () => provider.forceFlush(),
    stop: () => provider.shutdown(),
  };
};

let aggregator;
before(async () => {
  aggregator = await start();
});
after(() => aggregator?.stop());

for (const [format, Exporter] of Object.entries(EXPORTERS)) {
  for (const [name, temporality] of Object.entries(TEMPORALITIES)) {
    test(`${format}, ${name}`, async () => {
      const service = `node-${format}-${name}`;
      const pushes = `lastmile_pushes_total{format="${format}"}`;
      const pushed = await own(aggregator, pushes);
      const client = provider(Exporter, temporality, aggregator.publicUrl, service);
      const loads = client.meter.createCounter("app.loads", { unit: "{load}" });
      const advice = { explicitBucketBoundaries: BOUNDS };
      const load = client.meter.createHistogram("page.load", { unit: "s", advice });
      const step = client.meter.createHistogram("step", { unit: "s" });
      const users = client.meter.createUpDownCounter("users");
      for (const round of ROUNDS) {
        for (const [app, n] of round.loads) loads.add(n, { app, build: "17" });
        for (const seconds of round.load) load.record(seconds);
        for (const seconds of round.step) step.record(seconds);
        if (round.users !== 0) users.add(round.users);
        await client.push();
      }
      assert.equal((await own(aggregator, pushes)) - pushed, 3, "each was a push");
      await checkTotals(aggregator, service);
      await client.stop();
      await checkTotals(aggregator, service);
      assert.equal(await own(aggregator, "lastmile_cumulative_baseline_total"), 0);
    });
  }
}

test("nothing was refused", async () => {
  const { text } = await scrape(aggregator.metricsUrl);
  const refused = [...samples(text)].filter(([series, n]) => /^lastmile_(refused|push_errors)_total/.test(series) && n > 0);
  assert.deepEqual(refused, []);
});

test("totals across a restart of the server", async () => {
  const kept = keeper();
  const [publicAt, privateAt] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const begin = async () => {
    const { mkdtemp, rm, writeFile } = await import("node:fs/promises");
    const folder = await mkdtemp("/tmp/lastmile-clients-");
    await writeFile(`${folder}/schema.toml`, SCHEMA);
    const server = await startAggregatorAt(publicAt, privateAt, "--schema", `${folder}/schema.toml`);
    await rm(folder, { recursive: true });
    return kept.add(server);
  };
  try {
    const series = 'app_loads_total{service_name="long-lived",app="student"}';
    let server = await begin();
    const client = provider(ProtoExporter, TEMPORALITIES.cumulative, server.publicUrl, "long-lived");
    const loads = client.meter.createCounter("app.loads");
    const count = async (n) => {
      loads.add(n, { app: "student" });
      await client.push();
      return own(server, series);
    };
    assert.deepEqual([await count(3), await count(4)], [3, 7]);
    await server.kill();
    server = await begin();
    // What was counted between the last push before and the first one after is lost, as nobody knows what that was.
    assert.deepEqual([await count(5), await count(6), await count(0), await count(1)], [0, 6, 6, 7]);
    assert.equal(await own(server, "lastmile_cumulative_baseline_total"), 1);
    // A client that begins after the server did is counted from its beginning.
    const next = provider(JsonExporter, TEMPORALITIES.cumulative, server.publicUrl, "long-lived");
    next.meter.createCounter("app.loads").add(20, { app: "student" });
    await next.push();
    assert.equal(await own(server, series), 27);
    await next.stop();
    await client.stop();
  } finally {
    await kept.stop();
  }
});

test("totals of more streams than there is memory for", async () => {
  const small = await startAggregatorOn(`${SCHEMA}\n[limits]\nstreams_bytes = "8KiB"\n`);
  try {
    const client = provider(ProtoExporter, TEMPORALITIES.cumulative, small.publicUrl, "many");
    const loads = client.meter.createCounter("app.loads");
    let truth = 0;
    for (let round = 1; round <= 5; round += 1) {
      for (let id = 0; id < 300; id += 1) {
        loads.add(round, { app: "teacher", id });
        truth += round;
      }
      await client.push();
      const exposed = await own(small, 'app_loads_total{service_name="many",app="teacher"}');
      assert.ok(exposed > truth / 30 && exposed < truth / 2, `${exposed} of ${truth}`);
    }
    const baselines = await own(small, "lastmile_cumulative_baseline_total");
    assert.ok(baselines > 5 * 150, `${baselines}`);
    await client.stop();
  } finally {
    await small.stop();
  }
});
