// A real Prometheus and its HTTP API.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { freePort, launch, until } from "./processes.mjs";

/**
 * Starts a Prometheus whose jobs scrape `{ job: metricsUrl }`, and waits until all are up. It scrapes
 * every `seconds`. Each of the sets in `labels` makes a target of its own of every job; `reachable` is
 * false for targets that nobody serves, which are waited for until they were found to be down. `program` is
 * another one than the installed, `flags` are added to its own, and `scrapeConfig` to that of every job.
 */
export const startPrometheus = async (jobs, options = {}) => {
  const { seconds = 1, labels = [{}], reachable = true } = options;
  const { program: path = "prometheus", flags = [], scrapeConfig = {} } = options;
  const folder = await mkdtemp(join(tmpdir(), "lastmile-prometheus-"));
  const config = {
    global: { scrape_interval: `${seconds}s` },
    scrape_configs: Object.entries(jobs).map(([job, metricsUrl]) => {
      const { host, pathname } = new URL(metricsUrl);
      const targets = labels.map((set) => ({ targets: [host], labels: set }));
      return { job_name: job, metrics_path: pathname, static_configs: targets, ...scrapeConfig };
    }),
  };
  const configFile = join(folder, "prometheus.yml");
  await writeFile(configFile, JSON.stringify(config)); // JSON is YAML
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let program;

  const prometheus = {
    seconds,

    stop: async () => {
      await program.stop();
      await rm(folder, { recursive: true, force: true });
    },

    /** Ends the program, which `resume()` starts again on the data it had. */
    pause: () => program.stop(),
    resume: async () => {
      program = launch(path, [
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--scrape.discovery-reload-interval=1s", // a hidden flag: it begins to scrape 4 s earlier
        "--log.level=warn",
        ...flags,
      ]);
      const ready = () => fetch(`${url}/-/ready`).then((answer) => answer.ok || undefined, () => {
        if (program.ended) throw new Error(`prometheus ended:\n${program.output()}`);
      });
      await until("prometheus is ready", ready);
    },

    /** An instant query's result: `[{ metric, value: [time, text] }]`, or `values` for a range. */
    query: async (promql) => {
      const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(promql)}`);
      const { status, error, data } = await answer.json();
      if (status !== "success") throw new Error(`${promql}: ${error}`);
      return data.result;
    },

    /** The one number that a query gives, undefined if it gives none. */
    number: async (promql) => {
      const result = await prometheus.query(promql);
      if (result.length > 1) throw new Error(`${promql}: ${result.length} series instead of one`);
      return result.length === 0 ? undefined : Number(result[0].value[1]);
    },

    /** The exemplars of series, whenever they are from: `[{ seriesLabels, exemplars }]`. */
    exemplars: async (selector) => {
      const range = `start=0&end=${Date.now() / 1000 + 1}`;
      const answer = await fetch(`${url}/api/v1/query_exemplars?query=${encodeURIComponent(selector)}&${range}`);
      const { status, error, data } = await answer.json();
      if (status !== "success") throw new Error(`${selector}: ${error}`);
      return data;
    },

    /** Waits until a query gives this number. */
    untilNumber: async (promql, wanted) => {
      let last;
      const look = async () => {
        last = await prometheus.number(promql);
        return last === wanted ? last : undefined;
      };
      await until(promql, look, { seconds: 20 + 2 * seconds }).catch((error) => {
        throw new Error(`${error.message}: ${last} instead of ${wanted}\n${program.output()}`);
      });
    },

    /** Long enough for two more scrapes: what was counted twice would show by then. */
    twoScrapes: () => sleep(2.2 * seconds * 1000),

    /** Every scrape so far, as `{ at, took, up }`: two times in milliseconds, and whether it worked. */
    scrapes: async () => {
      const [up] = await prometheus.query("up[1h]");
      const [durations] = await prometheus.query("scrape_duration_seconds[1h]");
      const took = new Map(durations?.values);
      const whole = (up?.values ?? []).filter(([at]) => took.has(at));
      return whole.map(([at, value]) => ({ at: at * 1000, took: took.get(at) * 1000, up: value === "1" }));
    },
  };

  await prometheus.resume();
  const nTargets = Object.keys(jobs).length * labels.length;
  await prometheus.untilNumber(reachable ? "sum(up)" : "count(up == 0)", nTargets);
  return prometheus;
};

/**
 * By how much a counter rose since Prometheus first saw it: exact, where `increase` extrapolates. It
 * needs a series that was seen before it moved, as closed families are.
 */
export const rise = (selector) =>
  `sum(max_over_time(${selector}[1h])) - sum(min_over_time(${selector}[1h]))`;

/** Runs `promtool check metrics` over an exposition: `{ code, output }`. */
export const promtoolCheck = (text) =>
  new Promise((resolve, reject) => {
    const promtool = execFile("promtool", ["check", "metrics"], (error, stdout, stderr) => {
      if (error && typeof error.code !== "number") reject(error);
      else resolve({ code: error?.code ?? 0, output: stdout + stderr });
    });
    promtool.stdin.end(text);
  });
