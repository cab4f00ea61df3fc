// OpenTelemetry's SDK for Python, which pushes protobuf, in both temporalities.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { fromXtask } from "../support/processes.mjs";
import { BOUNDS, ROUNDS, checkTotals, own, start } from "./otlp.mjs";

const CLIENT = fileURLToPath(new URL("otlp_client.py", import.meta.url));

let aggregator;
before(async () => {
  aggregator = await start();
});
after(() => aggregator?.stop());

for (const temporality of ["delta", "cumulative"]) {
  test(temporality, async () => {
    const service = `python-${temporality}`;
    const args = [`${aggregator.publicUrl}/v1/metrics`, service, temporality, JSON.stringify(BOUNDS), JSON.stringify(ROUNDS)];
    const env = { ...process.env, PYTHONPATH: fromXtask("E2E_OTEL_PYTHONPATH"), PYTHONDONTWRITEBYTECODE: "1" };
    const { stderr } = await promisify(execFile)("python3", [CLIENT, ...args], { env });
    assert.doesNotMatch(stderr, /Failed|Error/, stderr);
    await checkTotals(aggregator, service);
    assert.equal(await own(aggregator, "lastmile_cumulative_baseline_total"), 0);
  });
}
