// A real Prometheus that scrapes every second, and its HTTP API.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { launch, until } from "./processes.mjs";

const SCRAPE_SECONDS = 1;

/** A port that was free a moment ago: Prometheus does not say which one it got for port 0. */
const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
};

/** Starts a Prometheus whose jobs scrape `{ job: metricsUrl }`, and waits until all are up. */
export const startPrometheus = async (jobs) => {
  const folder = await mkdtemp(join(tmpdir(), "lastmile-prometheus-"));
  const config = {
    global: { scrape_interval: `${SCRAPE_SECONDS}s` },
    scrape_configs: Object.entries(jobs).map(([job, metricsUrl]) => {
      const { host, pathname } = new URL(metricsUrl);
      return { job_name: job, metrics_path: pathname, static_configs: [{ targets: [host] }] };
    }),
  };
  const configFile = join(folder, "prometheus.yml");
  await writeFile(configFile, JSON.stringify(config)); // JSON is YAML
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const program = launch("prometheus", [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--scrape.discovery-reload-interval=1s", // a hidden flag: it begins to scrape after 1 s, not 5
    "--log.level=warn",
  ]);

  const prometheus = {
    stop: async () => {
      await program.stop();
      await rm(folder, { recursive: true, force: true });
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

    /** Waits until a query gives this number. */
    untilNumber: async (promql, wanted) => {
      let last;
      const look = async () => {
        last = await prometheus.number(promql);
        return last === wanted ? last : undefined;
      };
      await until(promql, look).catch((error) => {
        throw new Error(`${error.message}: ${last} instead of ${wanted}\n${program.output()}`);
      });
    },

    /** Long enough for two more scrapes: what was counted twice would show by then. */
    twoScrapes: () => sleep(2.2 * SCRAPE_SECONDS * 1000),
  };

  const ready = () => fetch(`${url}/-/ready`).then((answer) => answer.ok || undefined, () => {
    if (program.ended) throw new Error(`prometheus ended:\n${program.output()}`);
  });
  await until("prometheus is ready", ready);
  await prometheus.untilNumber("sum(up)", Object.keys(jobs).length);
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
