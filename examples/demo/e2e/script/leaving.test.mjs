// Pages that go, for good or for a while: what they counted last comes with them, or when they are back.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startOrdinary } from "../support/browser.mjs";
import { keeper, until } from "../support/processes.mjs";
import { impatient, startMeasured, tag } from "../support/scripts.mjs";

let browser;
const kept = keeper();
before(async () => {
  ({ browser } = kept.add(await startOrdinary()));
});
after(kept.stop);

/** `/seldom` sends so seldom that only what a page sends as it goes comes in time. */
const PAGES = { "/": tag(), "/seldom": tag('data-every="600"'), "/next": "Another page" };

describe("a page that goes", { concurrency: 6 }, () => {
  const WAYS = [
    ["to another page", (page, it) => page.goto(`${it.origin}/next`)],
    ["to another site", (page) => page.goto("about:blank")],
    ["as it is loaded again", (page) => page.reload()],
    ["as its tab is closed", (page) => page.close({ runBeforeUnload: true })],
  ];
  for (const [how, leave] of WAYS) {
    test(`${how}, with what was counted last`, async () => {
      const it = await startMeasured(kept, browser, { pages: PAGES });
      const page = await it.openSent("/seldom");
      await it.click(page, 5);
      await leave(page, it);
      await it.untilClicks();
      await it.check();
    });

    // Nobody heard that it was counted, so it is sent once more.
    test(`${how}, while a push is under way`, async () => {
      const it = await startMeasured(kept, browser, { pages: PAGES });
      const page = await it.openSent("/seldom");
      const n = it.pushes().length;
      let letOn;
      it.proxy.meet({ until: new Promise((resolve) => { letOn = resolve; }) });
      await it.click(page, 3);
      await page.evaluate(() => window.lastmile("flush"));
      await it.untilPushes(n + 1);
      await it.click(page, 4);
      await leave(page, it);
      await it.untilClicks();
      letOn();
      await it.check();
      const ids = it.pushes().flatMap(({ body }) => body.match(/"id":"[^"]+"/g));
      assert.ok(new Set(ids).size < ids.length, "a line was sent twice");
    });
  }

  test("and its first answer breaks off: the browser asks again, and it is counted once", async () => {
    const it = await startMeasured(kept, browser, { pages: PAGES });
    const page = await it.openSent("/seldom");
    await it.click(page, 5);
    it.proxy.meet("unheard");
    await page.goto(`${it.origin}/next`);
    await it.check();
  });
});

describe("a page that comes back", { concurrency: 6 }, () => {
  test("out of the cache for going back is a page view of its own", async () => {
    const it = await startMeasured(kept, browser, { pages: PAGES });
    const page = await it.openSent("/seldom");
    for (let i = 0; i < 3; i++) {
      await it.click(page, 2);
      await page.goto(`${it.origin}/next`);
      await it.untilClicks();
      await it.goBack(page, "/seldom");
      await it.click(page, 2);
    }
    await it.check();
    // A machine that is too busy does not keep it, and loads it again.
    await it.untilSum(4, "client_page_loads_total");
    assert.equal(await it.sum("client_page_loads_total", "navigate"), 1);
    assert.ok((await it.sum("client_page_loads_total", "bfcache")) >= 1);
  });

  for (const [what, trouble] of [
    ["was not taken", { status: 503 }],
    ["broke off before anybody had it", "unread"],
    ["was counted and broke off", "unheard"],
    ["nobody answered", "silent"],
  ]) {
    test(`sends again what, as it went, ${what}`, async () => {
      const it = await startMeasured(kept, browser, { pages: PAGES });
      const page = await it.openSent("/seldom");
      await it.click(page, 2);
      const n = it.pushes().length;
      it.proxy.meet(trouble, trouble);
      await page.goto(`${it.origin}/next`);
      await it.untilPushes(n + 1);
      it.proxy.meet();
      await it.goBack(page, "/seldom");
      await it.click(page, 2);
      await it.check();
      await it.untilSum(1, "client_page_loads_total", "bfcache");
    });
  }

  test("need not go once more to ask again where nobody answered", async () => {
    const it = await startMeasured(kept, browser, { pages: PAGES, init: [impatient] });
    const page = await it.openSent("/");
    it.proxy.meet("silent");
    await it.click(page, 2);
    await page.goto(`${it.origin}/next`);
    await it.goBack(page, "/");
    await it.untilClicks();
    await it.check();
  });

  test("from a time without a network has lost nothing, and asked for nothing meanwhile", async () => {
    const it = await startMeasured(kept, browser, { pages: PAGES });
    const page = await it.openSent("/");
    await it.context.setOffline(true);
    const before = it.failed.length;
    for (let i = 0; i < 6; i++) {
      await it.click(page, 2);
      await page.waitForTimeout(500);
    }
    assert.equal(it.failed.length, before, "it does not try");
    await it.context.setOffline(false);
    await it.untilClicks();
    await it.check();
  });

  test("from a long time without a network gives up the oldest batches, and counts them", async () => {
    const it = await startMeasured(kept, browser, { pages: PAGES });
    const page = await it.openSent("/seldom");
    await it.context.setOffline(true);
    // 1,000 series a batch of 8 kB at most, of which 28 kB are kept.
    const n = await page.evaluate(() => {
      for (let i = 0; i < 1000; i++) window.lastmile("increment", "clicks_total", { of: `${i} ${"x".repeat(60)}` });
      return 1000;
    });
    await it.context.setOffline(false);
    await page.evaluate(() => window.lastmile("flush"));
    await until("all is answered", () => (it.pushes().length > 1 && it.pushes().every(({ status }) => status !== 0)) || undefined);
    await page.evaluate(() => window.lastmile("flush"));
    await until("it says so", async () => (await it.sum("client_dropped_total", "overflow")) > 0 || undefined);
    const dropped = await it.sum("client_dropped_total", "overflow");
    const came = (await it.sum("clicks_total")) - it.nClicks();
    const lost = n - came;
    assert.ok(came > 250 && lost > 0, `${came} of ${n} came`);
    assert.ok(dropped >= lost / 110 && dropped <= lost / 60, `${lost} increments were lost with ${dropped} batches`);
    const bytes = it.pushes().slice(1).map(({ body }) => body.length).reduce((a, b) => a + b);
    assert.ok(bytes <= 29_000, `${bytes} bytes`);
  });
});

test("a server that starts anew, in the middle of a page view", async () => {
  const it = await startMeasured(kept, browser, { pages: PAGES });
  const page = await it.openSent("/");
  await it.click(page, 4);
  await it.untilClicks();
  const first = await it.sum("clicks_total");
  await it.restart(async () => {
    for (let i = 0; i < 4; i++) {
      await it.click(page, 2);
      await page.waitForTimeout(400);
    }
  });
  await it.untilClicks(it.nClicks() - first);
  await it.check({ lost: first });
});
