// What every client of OpenTelemetry here does, and what that comes to.

import assert from "node:assert/strict";

import { samples, scrape, startAggregatorOn } from "../support/aggregator.mjs";

/** The bounds that clients are told, which are the schema's. */
export const BOUNDS = [0.1, 0.5, 1];

const labels = (more) => `labels = [{ name = "service_name", max_values = 20 }${more}]`;

export const SCHEMA = `
[[family]]
name = "app_loads_total"
type = "counter"
${labels(', { name = "app", values = ["student", "teacher"] }')}

[[family]]
name = "page_load_seconds"
type = "histogram"
unit = "seconds"
bounds = [${BOUNDS}]
${labels("")}

[[family]]
name = "step_seconds"
type = "histogram"
bounds = [0.25, 64]
native = { schema = 3 }
${labels("")}

[[family]]
name = "users"
type = "gauge"
${labels("")}
`;

/** An aggregator with that schema. */
export const start = () => startAggregatorOn(SCHEMA);

/** What is done before each of three pushes: before the second nothing at all. */
export const ROUNDS = [
  { loads: [["student", 2], ["teacher", 1]], load: [0.3, 0.7], step: [0.2, 0.2], users: 5 },
  { loads: [], load: [], step: [], users: 0 },
  { loads: [["student", 3]], load: [0.05, 5], step: [40], users: -2 },
];

/** Checks that a service's series read what the rounds add up to. */
export const checkTotals = async (aggregator, service) => {
  const now = samples((await scrape(aggregator.metricsUrl)).text);
  const of = (name, more = "") => now.get(`${name}{service_name="${service}"${more}}`);
  const read = {
    student: of("app_loads_total", ',app="student"'),
    teacher: of("app_loads_total", ',app="teacher"'),
    loads: BOUNDS.map((bound) => of("page_load_seconds_bucket", `,le="${bound === 1 ? "1.0" : bound}"`)),
    count: of("page_load_seconds_count"),
    sum: of("page_load_seconds_sum").toFixed(9),
    steps: [of("step_seconds_bucket", ',le="0.25"'), of("step_seconds_count")],
    // Of a scale that is coarse a bucket may end above 64, as 40 has been seen.
    stepSum: of("step_seconds_sum").toFixed(9),
    users: of("users"),
  };
  assert.deepEqual(read, {
    student: 5,
    teacher: 1,
    loads: [1, 2, 3],
    count: 4,
    sum: "6.050000000",
    steps: [2, 3],
    stepSum: "40.400000000",
    users: 3,
  });
};

/** A sample of the aggregator's own. */
export const own = async (aggregator, series) =>
  samples((await scrape(aggregator.metricsUrl)).text).get(series);
