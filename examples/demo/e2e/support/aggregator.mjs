// The programs under test, each on free ports of its own.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { fromXtask, launch, untilPrinted } from "./processes.mjs";

/** The sample app's own families. */
export const DEMO_SCHEMA = fileURLToPath(new URL("../../schema", import.meta.url));

const FREE = "127.0.0.1:0";

/** The standalone aggregator: `{ publicUrl, metricsUrl, stop(), kill() }`. */
export const startAggregator = (...args) => startAggregatorAt(FREE, FREE, ...args);

/** The same with what this TOML text declares, which it reads when it starts. */
export const startAggregatorOn = (schema, ...args) =>
  withSchema(schema, (...given) => startAggregator(...given, ...args));

/** Calls `start` with the arguments for what this TOML text declares; once it has started, the file is gone. */
export const withSchema = async (schema, start) => {
  const folder = await mkdtemp(join(tmpdir(), "lastmile-schema-"));
  try {
    const file = join(folder, "schema.toml");
    await writeFile(file, schema);
    return await start("--schema", file);
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** The same where it is told to listen: at two addresses, each a host and a port. */
export const startAggregatorAt = async (publicAt, privateAt, ...args) => {
  const addresses = ["--public", publicAt, "--private", privateAt];
  const program = launch(fromXtask("E2E_AGGREGATOR"), [...addresses, ...args]);
  const [, publicUrl] = await untilPrinted(program, /^public\s+(http:\S+)$/m);
  const [, metricsUrl] = await untilPrinted(program, /^private\s+(http:\S+)$/m);
  const { stop, kill } = program;
  return { publicUrl: publicUrl.replace(/\/$/, ""), metricsUrl, stop, kill };
};

/** The demo: `{ url, metricsUrl, stop() }`. */
export const startDemo = async (...args) => {
  const program = launch(fromXtask("E2E_DEMO"), ["--listen", FREE, ...args]);
  const [, url] = await untilPrinted(program, /^open\s+(http:\S+)$/m);
  return { url, metricsUrl: new URL("/metrics", url).href, stop: program.stop };
};

/** The service that has a registry of its own: `{ url, metricsUrl, hostUrl, stop() }`. */
export const startRegistry = async () => {
  const program = launch(fromXtask("E2E_REGISTRY"), [FREE]);
  const [, metricsUrl] = await untilPrinted(program, /^metrics\s+(http:\S+)$/m);
  const at = (path) => new URL(path, metricsUrl).href;
  return { url: at("/").replace(/\/$/, ""), metricsUrl, hostUrl: at("/host"), stop: program.stop };
};

/**
 * Pushes `body` and asks for the report: `{ status, accepted, refused, reason, offset }`. The status is
 * 0 if the connection closed first: a server that does not want the rest of a body need not read it.
 */
export const push = async (publicUrl, path, body) => {
  const headers = { Prefer: "return=representation" };
  const answer = await fetch(publicUrl + path, { method: "POST", headers, body }).catch((error) => {
    if (["EPIPE", "ECONNRESET", "UND_ERR_SOCKET"].includes(error.cause?.code)) return undefined;
    throw error;
  });
  if (!answer) return { status: 0 };
  const text = await answer.text();
  return { status: answer.status, ...(text ? JSON.parse(text) : {}) };
};

/** What a scrape shows at this moment, as text. */
export const scrape = async (metricsUrl) => {
  const answer = await fetch(metricsUrl);
  if (answer.status !== 200) throw new Error(`GET ${metricsUrl}: ${answer.status}`);
  return { text: await answer.text(), contentType: answer.headers.get("content-type") };
};

/** The samples of an exposition: series, as written, to number. */
export const samples = (text) => {
  const found = new Map();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const cut = line.lastIndexOf(" ");
    found.set(line.slice(0, cut), Number(line.slice(cut + 1)));
  }
  return found;
};
