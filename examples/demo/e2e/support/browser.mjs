// A real Chromium, driven through playwright-core.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { fromXtask, launch, untilPrinted } from "./processes.mjs";

/** Chromium's own errands, which would look like traffic of the page or fail on a closed network. */
const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  "--no-sandbox",
];

export const startBrowser = (...args) =>
  chromium.launch({ executablePath: fromXtask("E2E_CHROMIUM"), args: [...QUIET, ...args] });

/** Starts Chromium as people have it, on a profile of its own, at `url`; `launch`'s program with that profile's removal. */
export const startUndriven = async (url, ...args) => {
  const profile = await mkdtemp(join(tmpdir(), "lastmile-profile-"));
  const quiet = QUIET.filter((flag) => flag !== "--disable-background-networking");
  const program = launch(fromXtask("E2E_CHROMIUM"), [...quiet, "--headless", `--user-data-dir=${profile}`, ...args, url]);
  return {
    program,
    stop: async () => {
      await program.stop();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
};

/**
 * The same, driven: `{ browser, tabs, stop() }`. In `tabs`, a context, a page is hidden behind the one that was opened or
 * brought to the front last; in contexts of their own all are seen. The cache for going back is on.
 */
export const startOrdinary = async () => {
  const { program, stop } = await startUndriven("about:blank", "--remote-debugging-port=0");
  const [, url] = await untilPrinted(program, /DevTools listening on (ws:\S+)/);
  const browser = await chromium.connectOverCDP(url, { noDefaults: true, isLocal: true });
  return {
    browser,
    tabs: browser.contexts()[0],
    stop: async () => {
      await browser.close();
      await stop();
    },
  };
};

/** Opens a page; `errors` collects what it throws. */
export const openPage = async (browser, url) => {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(url, { waitUntil: "load" });
  return { page, errors };
};
