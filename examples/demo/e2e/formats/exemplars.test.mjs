// A host's exemplars are stored alike from OpenMetrics and from protobuf.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HOST_EXEMPLARS, startHost } from "../support/exemplars.mjs";
import { keeper, until } from "../support/processes.mjs";
import { startPrometheus } from "../support/prometheus.mjs";

const started = keeper();
after(() => started.stop());

/** Families that each stores as the same series: of the others, who takes native histograms stores those. */
const ALIKE = ["jobs", "my_jobs", "a_counter_with_a_name_of_more_than_32_bytes", "took_seconds"];

/** The installed one, by what it asks for. */
const SCRAPERS = {
  OpenMetrics: "exemplar-storage",
  protobuf: "exemplar-storage,native-histograms",
};

/** Seconds; those that were given are long before. */
const BEGAN = Date.now() / 1000;

/** Those of each series, as `HOST_EXEMPLARS` has them; a time that nobody gave is that of the scrape. */
const stored = async (prometheus) => {
  const found = {};
  for (const { seriesLabels, exemplars } of await prometheus.exemplars('{job="host"}')) {
    const name = seriesLabels.__name__.replace(/_(total|bucket)$/, "");
    if (!ALIKE.includes(name)) continue;
    for (const { labels, value, timestamp } of exemplars) {
      const at = timestamp >= BEGAN ? null : timestamp;
      (found[name] ??= []).push([seriesLabels.le, labels, Number(value), at]);
    }
  }
  for (const of of Object.values(found)) of.sort(([a], [b]) => Number(a === "+Inf") - Number(b === "+Inf"));
  return found;
};

for (const [format, features] of Object.entries(SCRAPERS)) {
  test(`Prometheus stores what was given from ${format}`, async () => {
    const host = started.add(await startHost());
    const flags = [`--enable-feature=${features}`];
    const prometheus = started.add(await startPrometheus({ host: host.metricsUrl }, { flags }));
    const look = async () => {
      const found = await stored(prometheus);
      return Object.keys(found).length === ALIKE.length ? found : undefined;
    };
    const found = await until("all series have exemplars", look);
    const expected = Object.fromEntries(ALIKE.map((name) => [name, HOST_EXEMPLARS[name]]));
    assert.deepEqual(found, expected);
    assert.deepEqual([...host.asked], [format]);
  });
}
