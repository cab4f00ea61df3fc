// A real VictoriaMetrics that scrapes.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort, launch, until } from "./processes.mjs";

/** Scrapes `metricsUrl` every second as `job`: `{ query(promql), stop() }`. */
export const startVictoriaMetrics = async (job, metricsUrl) => {
  const folder = await mkdtemp(join(tmpdir(), "lastmile-victoria-"));
  const config = join(folder, "scrape.yml");
  const { host, pathname } = new URL(metricsUrl);
  const scrape = { job_name: job, metrics_path: pathname, static_configs: [{ targets: [host] }] };
  await writeFile(config, JSON.stringify({ global: { scrape_interval: "1s" }, scrape_configs: [scrape] }));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const program = launch("victoria-metrics", [
    `-promscrape.config=${config}`,
    `-storageDataPath=${join(folder, "data")}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    "-search.latencyOffset=0s", // or a query shows what was true 30 s ago
    "-memory.allowedBytes=64MiB",
    "-loggerLevel=WARN",
  ]);
  const query = async (promql) => {
    const answer = await fetch(`${url}/api/v1/query?nocache=1&query=${encodeURIComponent(promql)}`);
    const { status, error, data } = await answer.json();
    if (status !== "success") throw new Error(`${promql}: ${error}`);
    return data.result;
  };
  const isUp = async () => {
    if (program.ended) throw new Error(`victoria-metrics ended:\n${program.output()}`);
    const up = await query(`up{job="${job}"}`).catch(() => []);
    return up[0]?.value[1] === "1" ? true : undefined;
  };
  await until("victoria-metrics scrapes", isUp, { seconds: 40 });
  return {
    query,
    stop: async () => {
      await program.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
