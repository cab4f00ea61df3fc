// Counts what it is told in lines on its input with prom-client, and pushes after each.
//
// node pushgateway-client.mjs URL JOB GROUPINGS [gzip] [defaults]

import { createInterface } from "node:readline";

import client from "prom-client";

const [url, jobName, groupings, ...flags] = process.argv.slice(2);
const register = new client.Registry();
if (flags.includes("defaults")) client.collectDefaultMetrics({ register });
const registers = [register];
const loads = new client.Counter({ name: "loads_total", help: "Loads.", labelNames: ["app"], registers });
const runs = new client.Counter({ name: "runs_total", help: "Runs.", registers });
const wait = new client.Histogram({
  name: "wait_seconds",
  help: "Waits.",
  labelNames: ["page"],
  buckets: [0.1, 1],
  registers,
});
const workers = new client.Gauge({ name: "workers", help: "Workers.", registers });
const options = flags.includes("gzip") ? { headers: { "Content-Encoding": "gzip" } } : {};
const gateway = new client.Pushgateway(url, options, register);
const group = { jobName, groupings: JSON.parse(groupings) };

for await (const line of createInterface({ input: process.stdin })) {
  const round = JSON.parse(line);
  for (const [app, n] of round.loads) loads.inc({ app }, n);
  runs.inc(round.runs);
  for (const seconds of round.waits) wait.observe({ page: "/home" }, seconds);
  if (round.workers !== undefined) workers.set(round.workers);
  const { resp } = await gateway[round.call](group);
  const wanted = round.call === "delete" ? 202 : 200;
  console.log(resp.statusCode === wanted ? "done" : `the answer is ${resp.statusCode}`);
}
