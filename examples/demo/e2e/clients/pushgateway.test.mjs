// prom-client and Python's prometheus_client with their Pushgateways: what is scraped is what was counted, but for the
// first push of a series that does not say when it began, unless pushes replace the group. prom-client's default metrics
// say when, and all series of Python's.

import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { fromXtask } from "../support/processes.mjs";
import { GROUPINGS, story } from "./pushgateway.mjs";

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const node = ({ url }, ...args) => [process.execPath, [file("pushgateway-client.mjs"), url, ...args]];
const python = ({ at }, ...args) => {
  const env = { PYTHONPATH: fromXtask("E2E_PYTHONPATH"), PYTHONDONTWRITEBYTECODE: "1" };
  return ["python3", [file("pushgateway_client.py"), at, ...args], env];
};

// Side by side, as they mostly wait.
describe("a Pushgateway's clients", { concurrency: true }, () => {
  for (const [what, program, job, call, flags, when] of [
    ["prom-client", node, "plain", "pushAdd", [], {}],
    ["prom-client that replaces", node, "plain", "push", ["gzip"], {}],
    ["prom-client that pushes before it counts", node, "nightly/import", "push", [], { isEarly: true }],
    ["prom-client with its default metrics", node, "plain", "push", ["defaults"], { tells: "process" }],
    ["Python", python, "a job", "push", [], { tells: "series" }],
    ["Python that adds", python, "plain", "pushAdd", ["gzip"], { tells: "series" }],
    ["Python with a job that has a slash", python, "nightly/import", "push", [], { tells: "series" }],
  ]) {
    test(what, () => {
      const command = (server) => program(server, job, JSON.stringify(GROUPINGS), ...flags);
      return story({ job, command, call, ...when });
    });
  }
});
