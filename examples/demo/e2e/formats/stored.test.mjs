// Whatever format a scraper chooses, it stores the same series with the same values; and what it stores of a
// native histogram answers as the data that were sent would.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { push, startAggregatorOn } from "../support/aggregator.mjs";
import { keeper, until } from "../support/processes.mjs";
import { startPrometheus } from "../support/prometheus.mjs";
import { startVictoriaMetrics } from "../support/victoria-metrics.mjs";

const SCHEMA = `
[[family]]
name = "loads_total"
type = "counter"
help = "Loads, with a \\"quote\\", a back\\\\slash and\\na line feed."
labels = [{ name = "app", values = ["student", "teacher"] }, { name = "page", max_values = 10 }]

[[family]]
name = "taps"
type = "counter"
labels = [{ name = "app", values = ["student"] }]

[[family]]
name = "connected"
type = "gauge"

[[family]]
name = "wait_seconds"
type = "histogram"
unit = "seconds"
bounds = [0.05, 0.5, 1, 2.5, 1e6]
labels = [{ name = "app", values = ["student", "teacher"] }]

[[family]]
name = "took_seconds"
type = "summary"
unit = "seconds"

[[family]]
name = "both_seconds"
type = "histogram"
bounds = [0.5, 1]
native = { schema = 3, max_buckets = 160 }

[[family]]
name = "native_seconds"
type = "histogram"
native = { schema = 3, max_buckets = 160 }
labels = [{ name = "app", max_values = 10 }]
`;

/** Families whose series depend on whether the scraper takes native histograms. */
const NATIVE = /^(both|native)_seconds/;

const TRIXIE = process.env.E2E_PROMETHEUS_TRIXIE; // 2.53
const SID = process.env.E2E_PROMETHEUS_SID; // 3.5

/**
 * Each scraper, by what it asks for. Those that `drops` is said of read protobuf and take no native histograms:
 * of a family that has both they then store nothing, whoever serves it.
 * Source: prometheus, scrape/scrape.go, where what the parser calls a native histogram is left out without
 * `native-histograms`, and its classic buckets come only with `always_scrape_classic_histograms`.
 */
const SCRAPERS = {
  "2.42, OpenMetrics": {},
  "2.42, protobuf": { flags: ["--enable-feature=native-histograms"], native: true },
};
for (const [version, program] of Object.entries({ "2.53": TRIXIE, "3.5": SID })) {
  if (!program) continue;
  const asking = (protocol) => ({ program, scrapeConfig: { scrape_protocols: [protocol] } });
  SCRAPERS[`${version}, as it comes`] = { program };
  SCRAPERS[`${version}, OpenMetrics`] = asking("OpenMetricsText1.0.0");
  SCRAPERS[`${version}, text 0.0.4`] = asking("PrometheusText0.0.4");
  if (version === "3.5") SCRAPERS["3.5, text 1.0.0"] = asking("PrometheusText1.0.0");
  SCRAPERS[`${version}, protobuf`] = { ...asking("PrometheusProto"), drops: true };
  SCRAPERS[`${version}, native histograms`] = {
    program, flags: ["--enable-feature=native-histograms"], native: true,
  };
  SCRAPERS[`${version}, start times`] = {
    program, flags: ["--enable-feature=created-timestamp-zero-ingestion"], drops: true,
  };
}

const started = keeper();
const stores = new Map();
let aggregator;

before(async () => {
  aggregator = started.add(await startAggregatorOn(SCHEMA));
  const jobs = { lastmile: aggregator.metricsUrl };
  const starts = Object.entries(SCRAPERS).map(([name, options]) => [name, startPrometheus(jobs, options)]);
  starts.push(["VictoriaMetrics", startVictoriaMetrics("lastmile", aggregator.metricsUrl)]);
  for (const [name, start] of starts) stores.set(name, started.add(await start));
});
after(() => started.stop());

/** A thousand times, log-uniform from 10 ms to 10 s, in an order that is not theirs. */
const TIMES = Array.from({ length: 1000 }, (_, i) => 0.01 * 1000 ** (((i * 337) % 1000) / 999));

let ids = 0;
const send = async (m) => {
  const id = `formats-${String((ids += 1)).padStart(16, "0")}`;
  const report = await push(aggregator.publicUrl, "/lm", JSON.stringify({ lm: 1, id, m }));
  assert.deepEqual([report.status, report.refused], [200, {}]);
};

test("what was sent is what each stores", async () => {
  await send({
    "loads_total;app=student;page=%2Fa\"b\\\\c": 3,
    "loads_total;app=teacher;page=/é": 4.5,
    "taps;app=student": 7,
    connected: 12,
    "wait_seconds;app=student": [0.04, [0.7, 3], 9],
    took_seconds: [0.1, 0.2, 0.3],
  });
  for (let from = 0; from < TIMES.length; from += 100) {
    const some = TIMES.slice(from, from + 100);
    await send({ both_seconds: some, "native_seconds;app=student": some });
  }
  // Once all have the last of it, nothing moves any more but what the aggregator says of scrapes.
  for (const [name, store] of stores) {
    const look = async () => {
      const counts = await store.query('loads_total{app="teacher",page="/é"} == 4.5 and on() (taps == 7)');
      return counts.length === 1 ? true : undefined;
    };
    await until(`${name} has what was sent`, look);
  }
});

/** What a store answers. Where a scrape came too late, on a busy machine, it shows nothing until the next one. */
const shown = async (store, query) => {
  const look = async () => {
    const result = await store.query(query);
    return result.length > 0 ? result : undefined;
  };
  return until(`something is shown for ${query}`, look);
};

/** Series and values of a store: `name{labels}` to number, sorted. */
const stored = async (store) => {
  const result = await shown(store, '{job="lastmile",__name__!~"lastmile_.*|up|scrape_.*"}');
  const entries = result.filter(({ value }) => value).map(({ metric, value }) => {
    const { __name__, job, instance, ...labels } = metric;
    const texts = Object.keys(labels).sort().map((label) => `${label}=${JSON.stringify(labels[label])}`);
    return [`${__name__}{${texts.join(",")}}`, Number(value[1])];
  });
  return new Map(entries.filter(([series]) => !NATIVE.test(series)).sort());
};

test("each stores the same series and values, byte for byte", async () => {
  const [[first, reference], ...others] = stores;
  const expected = await stored(reference);
  assert.ok(expected.size >= 25, `${first} has ${expected.size} series`);
  for (const [name, store] of others) {
    assert.deepEqual(await stored(store), expected, `${name} beside ${first}`);
  }
});

test("classic buckets of a family that has both are there for who takes no native ones", async () => {
  for (const [name, store] of stores) {
    if (SCRAPERS[name]?.native || SCRAPERS[name]?.drops) continue;
    const buckets = await shown(store, "both_seconds_bucket");
    const counts = Object.fromEntries(buckets.map(({ metric, value }) => [metric.le, Number(value[1])]));
    const below = (bound) => TIMES.filter((time) => time <= bound).length;
    assert.deepEqual(counts, { 0.5: below(0.5), "1.0": below(1), "+Inf": 1000 }, name);
  }
});

test("quantiles of a native histogram are within a bucket of those of the data", async () => {
  const sorted = [...TIMES].sort((a, b) => a - b);
  for (const [name, store] of stores) {
    if (!SCRAPERS[name]?.native) continue;
    for (const family of ["both_seconds", "native_seconds"]) {
      for (const q of [0.01, 0.5, 0.9, 0.99]) {
        const [{ value }] = await shown(store, `histogram_quantile(${q}, ${family})`);
        const exact = sorted[Math.ceil(q * sorted.length) - 1];
        const ratio = Number(value[1]) / exact;
        const bucket = 2 ** (1 / 8); // schema 3
        assert.ok(ratio <= bucket && ratio >= 1 / bucket, `${name}: ${family} ${q}: ${ratio} of ${exact}`);
      }
      const [{ value: [, count] }] = await shown(store, `histogram_count(${family})`);
      assert.equal(Number(count), 1000, name);
    }
  }
});

test("the first observations of a native histogram are visible to increase and rate", async () => {
  await send({ "native_seconds;app=teacher": [0.5, 0.6, 0.7, 0.8] });
  for (const [name, store] of stores) {
    if (!SCRAPERS[name]?.native) continue;
    const teacher = 'native_seconds{app="teacher"}';
    const look = async () => {
      const [found] = await store.query(`histogram_count(${teacher}) == 4`);
      return found;
    };
    await until(`${name} has the new series`, look);
    const [{ value: [, rate] }] = await shown(store, `histogram_count(rate(${teacher}[1m]))`);
    assert.ok(Number(rate) > 0, `${name}: rate ${rate}`);
    const [{ value: [, resets] }] = await shown(store, `resets(${teacher}[1m])`);
    assert.equal(Number(resets), 0, name);
  }
});
