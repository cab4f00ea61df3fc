// What every client of a Pushgateway here does, and what that comes to: totals that go on while the client or the
// aggregator starts again.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { samples, scrape, startAggregatorAt } from "../support/aggregator.mjs";
import { freePort, keeper } from "../support/processes.mjs";

/** Of the grouping key, `job` and `zone` are labels of families, and `instance` of none. */
export const GROUPINGS = { zone: "eu/west 1", instance: "10.0.0.1:9000" };

const SCHEMA = `
[[family]]
name = "loads_total"
type = "counter"
labels = [{ name = "job", max_values = 9 }, { name = "zone", max_values = 9 }, { name = "app", max_values = 9 }]

[[family]]
name = "runs_total"
type = "counter"
labels = [{ name = "job", max_values = 9 }]

[[family]]
name = "wait_seconds"
type = "histogram"
unit = "seconds"
bounds = [0.1, 1]
labels = [{ name = "zone", max_values = 9 }, { name = "page", max_values = 9 }]

[[family]]
name = "workers"
type = "gauge"
labels = [{ name = "job", max_values = 9 }]
`;

/** An aggregator that begins anew at the same addresses: `{ at, url, metricsUrl, begin(), stop() }`. */
const startServer = async () => {
  const kept = keeper();
  const [publicAt, privateAt] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const folder = await mkdtemp(join(tmpdir(), "lastmile-pushgateway-"));
  await writeFile(join(folder, "schema.toml"), SCHEMA);
  const server = {
    at: publicAt,
    url: `http://${publicAt}`,
    begin: async () => {
      await kept.stop();
      const program = await startAggregatorAt(publicAt, privateAt, "--schema", join(folder, "schema.toml"));
      kept.add({ stop: program.kill });
      server.metricsUrl = program.metricsUrl;
    },
    stop: async () => {
      await kept.stop();
      await rm(folder, { recursive: true });
    },
  };
  return server;
};

/** A client that is told a round in a line, counts it, pushes, and says so in a line: `{ does(round), stop() }`. */
const startClient = (command, args, env) => {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    does: async (round) => {
      child.stdin.write(`${JSON.stringify({ loads: [], waits: [], runs: 0, ...round })}\n`);
      const { value } = await lines.next();
      assert.equal(value, "done", `${command} ${args.join(" ")}`);
    },
    stop: async () => {
      process.removeListener("exit", kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      kill();
      await gone;
    },
  };
};

/** The URL of a group, whose values are such as may stand in a path. */
const groupUrl = (url, job) => {
  const labels = Object.entries({ job, ...GROUPINGS }).flat();
  return `${url}/metrics/${labels.map(encodeURIComponent).join("/")}`;
};

/** What a scrape shows of a job, and how many baselines there were. */
const read = async (server, job) => {
  const { text } = await scrape(server.metricsUrl);
  const now = samples(text);
  const loads = (app) => now.get(`loads_total{job="${job}",zone="${GROUPINGS.zone}",app="${app}"}`) ?? 0;
  const wait = (suffix, more = "") =>
    now.get(`wait_seconds_${suffix}{zone="${GROUPINGS.zone}",page="/home"${more}}`) ?? 0;
  const errors = [...now].filter(([series, n]) => series.startsWith("lastmile_push_errors_total") && n > 0);
  assert.deepEqual(errors, []);
  const refused = [...now].filter(([series, n]) => series.startsWith("lastmile_refused_total") && n > 0);
  assert.deepEqual(refused.filter(([series]) => !series.includes("unknown_family")), []);
  return {
    loads: ["student", "teacher", "guest"].map(loads),
    waits: [wait("bucket", ',le="0.1"'), wait("bucket", ',le="1.0"'), wait("count"), Number(wait("sum").toFixed(9))],
    runs: now.get(`runs_total{job="${job}"}`),
    workers: now.get(`workers{job="${job}"}`),
    baselines: now.get("lastmile_cumulative_baseline_total"),
  };
};

const ROUNDS = [
  { loads: [["student", 2], ["teacher", 1]], waits: [0.05, 0.5], runs: 1, workers: 5 },
  {},
  { loads: [["student", 3], ["guest", 7]], waits: [0.05, 5], runs: 2, workers: 3 },
];

/**
 * A client's life, and another's after it, and another server's. `command(server)` says how to start one, and `call`
 * how it pushes; `tells` is what it says the beginning of, "process" or "series", and `isEarly` whether it pushes
 * before it counts.
 */
export const story = async ({ job, command, call, tells, isEarly = false }) => {
  const kept = keeper();
  const server = kept.add(await startServer());
  const begin = () => kept.add(startClient(...command(server)));
  const isWhole = tells !== undefined || isEarly;
  // Who replaces a group says what is new in it: a series that comes later.
  const isTold = call === "push";
  const [guest, late] = isWhole || isTold ? [7, 0] : [0, 1];
  // Of one that is early, the counter without labels alone, which is there at 0.
  const baselines = (tells ? 0 : isEarly ? 1 : 4) + late;
  try {
    await server.begin();
    // Clocks may be 5 s apart, so who says that it began sooner may have begun before the server did.
    if (tells) await sleep(6_000);
    let client = begin();
    if (isEarly) await client.does({ call });
    for (const round of ROUNDS) await client.does({ ...round, call });
    assert.deepEqual(await read(server, job), {
      loads: isWhole ? [5, 1, 7] : [3, 0, guest],
      waits: isWhole ? [2, 3, 4, 5.6] : [1, 1, 2, 5.05],
      runs: isWhole ? 3 : 2,
      workers: 3,
      baselines,
    }, "what rose since the first push, or since it began");

    await client.stop();
    client = begin();
    if (isEarly) await client.does({ call });
    // That a series began again shows where it says so, or else only if it is less than it was.
    const again = tells === "series" ? 20 : 1;
    await client.does({ loads: [["student", again]], waits: [0.7], runs: 1, workers: 1, call });
    await client.does({ call });
    const after = {
      loads: isWhole ? [5 + again, 1, 7] : [4, 0, guest],
      waits: isWhole ? [2, 4, 5, 6.3] : [1, 2, 3, 5.75],
      runs: isWhole ? 4 : 3,
      workers: 1,
      baselines,
    };
    assert.deepEqual(await read(server, job), after, "what a client counted that began again");

    for (const method of ["DELETE", "DELETE"]) {
      const answer = await fetch(groupUrl(server.url, job), { method });
      assert.equal(answer.status, 202);
    }
    await client.does({ call: "delete" });
    const { loads, waits, runs } = await read(server, job);
    assert.deepEqual([loads, waits, runs], [after.loads, after.waits, after.runs], "what was counted stays");

    await server.begin();
    await client.does({ loads: [["student", 10]], call });
    await client.does({ loads: [["student", 4], ["teacher", 2]], waits: [0.05], runs: 5, call });
    assert.deepEqual(await read(server, job), {
      // The server began less than 5 s ago, so that a client's word that a series began since is not taken.
      loads: [4, isTold ? 2 : 0, 0],
      waits: [1, 1, 1, 0.05],
      runs: 5,
      workers: 1,
      baselines: isTold ? 3 : 4,
    }, "what was counted before the server began again may have been counted there");
  } finally {
    await kept.stop();
  }
};
