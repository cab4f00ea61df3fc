// A real Chromium, driven through playwright-core.

import { chromium } from "playwright-core";

import { fromXtask } from "./processes.mjs";

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

/** Opens a page; `errors` collects what it throws. */
export const openPage = async (browser, url) => {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(url, { waitUntil: "load" });
  return { page, errors };
};
