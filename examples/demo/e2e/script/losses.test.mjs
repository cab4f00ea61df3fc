// A network and servers that make trouble: what a page counts is counted once, or as dropped.

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

const HTML = { "Content-Type": "text/html" };
const answer = (status, headers = {}, body = "") => ({ status, headers, body });

/** What the first three pushes meet, and for how long one has to wait at least after each. */
const TROUBLES = [
  ["break off before anybody has them", ["unread", "unread", "unread"]],
  ["break off when they are counted", ["unheard", "unheard", "unheard"]],
  ["break off both ways", ["unheard", "unread", "unheard"]],
  ["are answered late", [{ millis: 1500 }, { millis: 1500 }, { millis: 1500 }]],
  ["are told to wait", Array(3).fill(answer(429, { "Retry-After": "2" })), 2000],
  ["find nobody at home", Array(3).fill(answer(503))],
  ["meet a server that fails", [answer(500), answer(502, HTML, "<h1>Bad gateway"), answer(504)]],
  ["meet a captive portal", Array(3).fill(answer(200, HTML, "<h1>Welcome to our network"))],
  ["are sent to a captive portal", Array(3).fill(answer(302, { Location: "/login" }))],
  ["are sent to where there is nothing", Array(3).fill(answer(302, { Location: "/lost" }))],
  ["are sent on to the right place", Array(3).fill(answer(307, { Location: "/lm?s=0" }))],
  ["meet what says nothing at all", [answer(200), answer(201), answer(200)]],
  ["are never answered", ["silent", "silent", "silent"]],
];

const PAGES = { "/": tag(), "/login": "Who are you?" };

describe("the first three pushes", { concurrency: 6 }, () => {
  for (const [what, troubles, waits = 0] of TROUBLES) {
    test(what, async () => {
      const it = await startMeasured(kept, browser, { pages: PAGES, init: [impatient] });
      it.proxy.meet(...troubles);
      const page = await it.open();
      while (it.pushes().length <= troubles.length) {
        await it.click(page, 3);
        await page.waitForTimeout(200);
      }
      await it.untilClicks();
      const times = it.pushes().map(({ at }) => at);
      for (let i = 0; i < troubles.length; i++) {
        assert.ok(times[i + 1] - times[i] >= waits, `push ${i + 1} came too early: ${times.map((at) => at - times[0])}`);
      }
      await it.check();
    });
  }

  test("find nobody who listens", async () => {
    const it = await startMeasured(kept, browser);
    const page = await it.open();
    await it.proxy.close();
    while (it.failed.length < 3) {
      await it.click(page, 3);
      await page.waitForTimeout(200);
    }
    assert.equal(it.pushes().length, 0);
    await it.proxy.open();
    await it.untilClicks();
    await it.check();
  });

  test("are refused for good: they are dropped, and that is counted", async () => {
    const it = await startMeasured(kept, browser);
    const page = await it.open();
    const refusals = [400, 401, 403, 404, 413, 415];
    for (const status of refusals) {
      const n = it.pushes().length;
      it.proxy.meet(answer(status));
      await it.click(page);
      await it.untilPushes(n + 1);
      await until("it was refused", () => it.pushes()[n].status === status || undefined);
      await page.waitForTimeout(50);
    }
    await it.click(page, 5);
    await it.check({ lost: refusals.length, dropped: refusals.length });
    assert.equal(await it.value('client_dropped_total{reason="refused"}'), refusals.length);
  });
});
