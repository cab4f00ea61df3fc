// The client's modules as they are, through esbuild in memory, with whatever globals a test puts in their way.

import { fileURLToPath } from "node:url";

import { buildSync } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
const built = new Map();

const bundled = (modules) => {
  const contents = modules.map((name) => `export * from "./client/${name}.ts";`).join("\n");
  const stdin = { contents, resolveDir: root };
  const { outputFiles } = buildSync({ stdin, bundle: true, write: false, format: "iife", globalName: "loaded", target: "es2020" });
  return outputFiles[0].text;
};

/** What these modules export, loaded anew: `load(["path"])`, `load(["delivery", "measured"], { fetch, navigator })`. */
export const load = (modules, globals = {}) => {
  const key = modules.join();
  if (!built.has(key)) built.set(key, bundled(modules));
  return new Function(...Object.keys(globals), `${built.get(key)}\nreturn loaded;`)(...Object.values(globals));
};
