// `npm run build -- [--out DIR]`: everything in `dist/`, the same bytes each time.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({ options: { out: { type: "string", default: join(root, "dist") } } });
const out = values.out;

const json = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));
const { version } = json("package.json");
const vitals = json("node_modules/web-vitals/package.json").version;

const ours = `lastmile ${version}, MIT OR Apache-2.0`;
const withVitals = `${ours}; web-vitals ${vitals}, Copyright Google LLC, Apache-2.0`;

const common = {
  absWorkingDir: root,
  bundle: true,
  target: "es2020",
  // In the web-vitals library, too.
  inject: ["client/observers.ts"],
  // After a click no idle moment may come for seconds, and a page that is hidden before has no INP. A task does.
  define: { "globalThis.requestIdleCallback": "undefined", "globalThis.cancelIdleCallback": "undefined" },
  sourcemap: "external",
  // The scripts are named `/lm.js` where they are served, and nobody is sent to look for maps.
  legalComments: "none",
  logLevel: "warning",
};

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

// Almost every function runs as a page loads. Told so, V8 compiles them beside the main thread and not on it.
// Source: chromestatus.com, "Explicit compile hints with magic comments", Chrome 136.
const SCRIPTS = { "lastmile.js": withVitals, "lastmile-core.js": ours, "aggregatorClient.js": ours };
for (const [name, notice] of Object.entries(SCRIPTS)) {
  await build({
    ...common,
    entryPoints: [`client/scripts/${name.replace(/js$/, "ts")}`],
    outfile: join(out, name),
    format: "iife",
    minify: true,
    banner: { js: `//# allFunctionsCalledOnLoad\n/*! ${notice} */` },
  });
}

await build({
  ...common,
  entryPoints: ["client/index.ts", "client/core.ts", "client/react.ts"],
  outdir: join(out, "esm"),
  format: "esm",
  splitting: true,
  chunkNames: "shared",
  external: ["react"],
  banner: { js: `/*! ${withVitals} */` },
});

const tsc = spawnSync(
  process.execPath,
  [join(root, "node_modules/typescript/bin/tsc"), "--emitDeclarationOnly", "--outDir", join(out, "esm")],
  { cwd: root, stdio: "inherit" },
);
if (tsc.status !== 0) process.exit(1);
for (const inside of ["scripts", "collect", "tag.d.ts", "delivery.d.ts", "measured.d.ts", "transport.d.ts", "instance.d.ts", "observers.d.ts", "path.d.ts", "probes.d.ts", "seen.d.ts"]) {
  rmSync(join(out, "esm", inside), { recursive: true, force: true });
}

// What the Rust crate says about each script.
const digest = (algorithm, bytes, encoding) => createHash(algorithm).update(bytes).digest(encoding);
const rows = Object.keys(SCRIPTS).map((name) => {
  const bytes = readFileSync(join(out, name));
  const hash = digest("sha256", bytes, "hex").slice(0, 16);
  return `    ("${name}", "${hash}", "sha384-${digest("sha384", bytes, "base64")}"),\n`;
});
writeFileSync(
  join(out, "hashes.rs"),
  "// Written by `npm run build`: each script's name, how its path names it, and its integrity.\n" +
    `pub(crate) const HASHES: [(&str, &str, &str); ${rows.length}] = [\n${rows.join("")}];\n`,
);
