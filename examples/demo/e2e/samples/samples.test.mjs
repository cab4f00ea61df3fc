// The packed package in apps as people build them: StrictMode, and pages that a server renders. What their pages count is
// what the aggregator has.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { samples, scrape, startAggregatorOn } from "../support/aggregator.mjs";
import { startBrowser } from "../support/browser.mjs";
import { freePort, keeper, launch, until } from "../support/processes.mjs";

const PACKAGE = fileURLToPath(new URL("../../../../crates/lastmile-web", import.meta.url));
const SCHEMA = `
[[family]]
name = "orders_total"
type = "counter"
labels = [{ name = "kind", values = ["book", "rendered"] }]
`;
const N_CLICKS = 7;

const call = promisify(execFile);
const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
const kept = keeper();
let folder;
let aggregator;
let browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "lastmile-samples-"));
  kept.add({ stop: () => rm(folder, { recursive: true, force: true }) });
  await call("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: PACKAGE });
  aggregator = kept.add(await startAggregatorOn(SCHEMA, "--default-schema"));
  browser = await startBrowser();
  kept.add({ stop: () => browser.close() });
});

after(() => kept.stop());

/** The sample with the package as npm would unpack it, built. */
const built = async (name) => {
  const at = join(folder, name);
  await cp(join(PACKAGE, "samples", name), at, { recursive: true });
  await call("npm", ["ci", "--silent", "--no-audit", "--no-fund"], { cwd: at, env });
  const { version } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
  const unpacked = join(at, "node_modules/lastmile");
  await mkdir(unpacked);
  await call("tar", ["xzf", join(folder, `lastmile-${version}.tgz`), "--strip-components=1", "-C", unpacked]);
  await call("npm", ["run", "--silent", "build"], { cwd: at, env });
  return at;
};

const TYPES = { ".html": "text/html", ".js": "text/javascript" };

/** What Vite built, as files. */
const vite = async (at) => {
  const server = createServer(async ({ url }, answer) => {
    const path = url == "/" ? "/index.html" : url;
    answer.writeHead(200, { "Content-Type": TYPES[extname(path)] });
    answer.end(await readFile(join(at, "dist", path)));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  kept.add({ stop: () => server.close() });
  return `http://127.0.0.1:${server.address().port}/`;
};

/** What Next.js built, which its server renders. */
const next = async (at) => {
  const port = await freePort();
  const program = kept.add(launch(process.execPath, [join(at, "node_modules/next/dist/bin/next"), "start", at, "-p", `${port}`, "-H", "127.0.0.1"]));
  const url = `http://127.0.0.1:${port}/`;
  await until("Next.js answers", async () => {
    if (program.ended) throw new Error(program.output());
    return fetch(url).then(() => true, () => undefined);
  });
  assert.match(await (await fetch(url)).text(), /<button>Buy<\/button>/, "a server renders it");
  return url;
};

const value = async (series) => samples((await scrape(aggregator.metricsUrl)).text).get(series);

const ordered = (kind = "book") => value(`orders_total{kind="${kind}"}`);

const loaded = () => value('client_page_loads_total{type="navigate"}');

for (const [name, serve] of Object.entries({ vite, next })) {
  test(`a page of ${name} counts each click once`, { timeout: 180_000 }, async () => {
    const url = await serve(await built(name));
    const earlier = await ordered();
    const earlierLoads = await loaded();
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    await page.addInitScript((to) => { window.LASTMILE_URL = to; }, `${aggregator.publicUrl}/lm`);
    await page.goto(url, { waitUntil: "load" });
    const button = page.getByRole("button");
    for (let i = 0; i < N_CLICKS; i++) await button.click();
    // What was not sent yet goes as the page does.
    await page.goto("about:blank");
    await page.close();
    await until("the clicks are counted", async () => (await ordered()) - earlier >= N_CLICKS || undefined);
    assert.equal((await ordered()) - earlier, N_CLICKS);
    assert.equal(await loaded(), earlierLoads + 1, "one page load, however often it was mounted");
    assert.equal(await ordered("rendered"), 0, "nothing is counted where a page is rendered");
    assert.deepEqual(errors, []);
  });
}
