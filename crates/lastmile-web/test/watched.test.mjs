// Where there are two addresses and a page cannot watch a request as pages mostly can, batches arrive all the same.

import assert from "node:assert/strict";
import { test } from "node:test";

import { delivering } from "./support/delivering.mjs";
import { random } from "./support/random.mjs";
import { world } from "./support/world.mjs";

/** Counts four times, each to be sent, in a world that was changed: how many lines each server has counted. */
const arrived = async (change, urls = ["/lm", "https://backup.example/lm"]) => {
  const page = world(random(1), urls);
  change(page.globals);
  const { it, increment } = delivering(page, urls, 1_000);
  for (let i = 0; i < 4; i++) {
    increment(it.measured(), "clicks_total", 1);
    it.flush();
    await page.pass(0);
    for (const request of page.requests()) {
      page.upload(request);
      await page.settle(request, { isApplied: true, status: 204 });
    }
    await page.pass(5_000);
  }
  assert.deepEqual(page.requests(), []);
  return page.servers.map(({ applied }) => applied.size);
};

test("on a page", async () => {
  assert.deepEqual(await arrived(() => {}), [4, 0]);
});

test("in a frame without an address of its own, whose requests have its parent's", async () => {
  assert.deepEqual(await arrived((globals) => { globals.location = { href: "about:srcdoc" }; }), [4, 0]);
});

test("in a service worker, which has no XMLHttpRequest", async () => {
  assert.deepEqual(await arrived((globals) => { globals.XMLHttpRequest = undefined; }), [4, 0]);
});

test("where the first is no address", async () => {
  const urls = ["https://:bad/lm", "https://backup.example/lm"];
  assert.deepEqual(await arrived(() => {}, urls), [0, 4]);
});
