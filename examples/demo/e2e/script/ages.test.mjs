// The server knows a batch for ten minutes. A page gives up in time what somebody may have counted, whatever its clocks say.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startOrdinary } from "../support/browser.mjs";
import { keeper } from "../support/processes.mjs";
import { idsIn, startMeasured } from "../support/scripts.mjs";

let browser;
const kept = keeper();
before(async () => {
  ({ browser } = kept.add(await startOrdinary()));
});
after(kept.stop);

/** Clocks that a test may set: the page's, which never goes back, and the wall's. */
const settable = () => {
  window.skew = { performance: 0, Date: 0 };
  for (const clock of ["performance", "Date"]) {
    const now = window[clock].now.bind(window[clock]);
    window[clock].now = () => now() + window.skew[clock];
  }
};
const set = (page, skew) => page.evaluate((skew) => { Object.assign(window.skew, skew); }, skew);

const CASES = [
  ["when both clocks went on", { performance: 400_000, Date: 400_000 }, true],
  ["when the page's clock went on", { performance: 400_000 }, true],
  ["when it stood still, as in sleep, and the wall clock went on", { Date: 400_000 }, true],
  ["not yet after almost five minutes", { performance: 280_000, Date: 280_000 }, false],
  ["not when the wall clock was set back", { Date: -4_000_000 }, false],
];

describe("what may have been counted is given up", { concurrency: 6 }, () => {
  for (const [when, skew, isGivenUp] of CASES) {
    test(when, async () => {
      const it = await startMeasured(kept, browser, { init: [settable] });
      const page = await it.open();
      await it.click(page, 2);
      await it.untilClicks();
      const n = it.pushes().length;
      it.proxy.meet(...Array(50).fill({ status: 503 }));
      await it.click(page, 3);
      await page.evaluate(() => window.lastmile("flush"));
      await it.untilPushes(n + 1);
      await it.context.setOffline(true);
      await set(page, skew);
      // This was never sent, and does not age.
      await it.click(page, 5);
      if (isGivenUp) await set(page, Object.fromEntries(Object.entries(skew).map(([clock, millis]) => [clock, 2 * millis])));
      it.proxy.meet();
      await it.context.setOffline(false);
      await it.untilClicks(isGivenUp ? 7 : 10);
      // The batch with the clicks, and one for each second that this took.
      const ids = new Set(it.pushes().filter(({ status }) => status === 503).flatMap(({ body }) => idsIn(body)));
      await it.check(isGivenUp ? { lost: 3, dropped: ids.size } : {});
      assert.equal(await it.sum("client_dropped_total", "expired"), isGivenUp ? ids.size : 0);
      // Nobody looked at the page while its clock was set.
      const seconds = await it.sum("client_user_seconds_total");
      assert.ok(seconds > 0 && seconds < 30, `${seconds} s`);
    });
  }
});
