// What a page depends on and others run: whether it can be reached is told by the way that works, the page's own.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startOrdinary } from "../support/browser.mjs";
import { freePort, keeper, until } from "../support/processes.mjs";
import { startMeasured, tag } from "../support/scripts.mjs";

let browser;
const kept = keeper();
before(async () => {
  ({ browser } = kept.add(await startOrdinary()));
});
after(kept.stop);

const PAGES = { "/": tag(), "/next": "Another page", "/alive": "I am here", "/silent": { isSilent: true } };

/** An answer to a ping is waited for, for 200 ms and not 10 s. */
const impatient = () => {
  const { setTimeout } = window;
  window.setTimeout = (then, millis) => setTimeout(then, millis === 10_000 ? 200 : millis);
};

const start = () => startMeasured(kept, browser, { pages: PAGES, init: [impatient] });
const call = (page, ...args) => page.evaluate((args) => { window.lastmile(...args); }, args);

describe("a third party", { concurrency: 6 }, () => {
  test("is asked, and how it went comes by the page's own path", async () => {
    const it = await start();
    const page = await it.open();
    const other = await it.another();
    await call(page, "ping", "alive", `${other.url}/alive`);
    await call(page, "ping", "gone", `http://127.0.0.1:${await freePort()}/`);
    // Nobody may read the answer, and that there is one is enough.
    await call(page, "ping", "missing", `${other.url}/missing`);
    await it.untilSum(1, "client_ping_seconds_count", 'target="alive"');
    await it.untilSum(1, "client_ping_seconds_count", 'target="missing"');
    await it.untilSum(1, "client_ping_failures_total", 'target="gone",reason="error"');
    await it.check();
    assert.equal(await it.sum("client_ping_seconds_count"), 2);
    assert.equal(await it.sum("client_ping_failures_total"), 1);
    assert.deepEqual(it.errors, []);
  });

  test("that does not answer is given up, and asked again later", async () => {
    const it = await start();
    const page = await it.open();
    await call(page, "ping", "silent", `${it.origin}/silent`, 1);
    const failures = () => it.sum("client_ping_failures_total", 'target="silent",reason="timeout"');
    await until("it was asked again", async () => (await failures()) >= 2 || undefined);
    assert.equal(await it.sum("client_ping_seconds_count"), 0);
  });

  test("is asked once a second at most, however often and in whatever way a page wants it", async () => {
    const it = await start();
    const page = await it.openSent("/");
    const urls = ["/often", "/rare", "/never", "/no-number"].map((path) => it.origin + path);
    const asked = new Map(urls.map((url) => [url, 0]));
    page.on("request", (request) => asked.has(request.url()) && asked.set(request.url(), asked.get(request.url()) + 1));
    // As a part of the page does that comes and goes.
    for (let i = 0; i < 4; i++) {
      if (i > 0) await call(page, "stop");
      await call(page, "start");
      for (const [at, secs] of [0.001, 3_000_000, Infinity, "often"].entries()) await call(page, "ping", "alive", urls[at], secs);
      await page.waitForTimeout(100);
    }
    for (const url of urls) asked.set(url, 0);
    await page.waitForTimeout(3200);
    assert.deepEqual(new Set([...asked].slice(1).map(([, n]) => n)), new Set([0]));
    assert.ok(asked.get(urls[0]) >= 2 && asked.get(urls[0]) <= 4, `${asked.get(urls[0])} times in three seconds`);
  });

  test("of a page without a network says nothing of it", async () => {
    const it = await start();
    const page = await it.open();
    await it.context.setOffline(true);
    await call(page, "ping", "alive", `${it.origin}/alive`, 1);
    await page.waitForTimeout(1200);
    await it.context.setOffline(false);
    await until("it was asked", async () => (await it.sum("client_ping_seconds_count")) > 0 || undefined);
    await it.check();
    assert.equal(await it.sum("client_ping_failures_total"), 0);
  });
});

describe("a WebSocket in the dark", { concurrency: 6 }, () => {
  const results = async (it) => Object.fromEntries(await Promise.all(
    ["open", "failed", "blocked"].map(async (result) => [result, await it.sum("client_websocket_total", `result="${result}"`)]),
  ));
  const codes = (it, code) => it.sum("client_websocket_close_total", `code="${code}"`);

  test("opens, closes as the page is left, and opens again as it comes back", async () => {
    const it = await start();
    const page = await it.open();
    const url = `${it.publicUrl.replace("http:", "ws:")}/lm/ws`;
    await call(page, "ws", "own", url);
    await it.untilSum(1, "client_websocket_open_seconds_count", 'target="own"');
    await page.goto(`${it.origin}/next`);
    await it.untilSum(1, "client_websocket_close_total", 'code="page_left"');
    await it.goBack(page, "/");
    await it.untilSum(1, "client_page_loads_total", "bfcache");
    await it.untilSum(2, "client_websocket_open_seconds_count");
    // Who closes it is noted by its code.
    assert.deepEqual(await results(it), { open: 2, failed: 0, blocked: 0 });
    await it.restart(() => {});
    await it.untilSum(1, "client_websocket_close_total", 'code="1006"');
    await it.check();
    assert.deepEqual(await results(it), { open: 0, failed: 0, blocked: 0 }, "the first two were told to the aggregator before");
  });

  test("that is held long enough is closed", async () => {
    const it = await start();
    const page = await it.open();
    await call(page, "ws", "own", `${it.publicUrl.replace("http:", "ws:")}/lm/ws`, 1);
    await it.untilSum(1, "client_websocket_close_total", 'code="held"');
    await it.check();
    assert.deepEqual(await results(it), { open: 1, failed: 0, blocked: 0 });
    const seconds = await it.sum("client_websocket_lifetime_seconds_sum");
    assert.ok(seconds > 0.5 && seconds < 5, `${seconds} s`);
  });

  test("that cannot be opened has failed, or was never tried", async () => {
    const it = await start();
    const page = await it.open();
    await call(page, "ws", "gone", `ws://127.0.0.1:${await freePort()}/`);
    await call(page, "ws", "wrong", "ws://");
    await it.untilSum(1, "client_websocket_total", 'target="gone",result="failed"');
    await it.untilSum(1, "client_websocket_total", 'target="wrong",result="blocked"');
    await it.check();
    assert.equal(await codes(it, "1006"), 1);
    assert.deepEqual(await results(it), { open: 0, failed: 1, blocked: 1 });
    assert.equal(await it.sum("client_websocket_lifetime_seconds_count"), 0);
    assert.deepEqual(it.errors, []);
  });
});
