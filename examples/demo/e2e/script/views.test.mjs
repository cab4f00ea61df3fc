// Many page views, which begin and end as they like on networks that break: totals are exact.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startOrdinary } from "../support/browser.mjs";
import { keeper } from "../support/processes.mjs";
import { startMeasured, tag } from "../support/scripts.mjs";

/** Few as a matter of course; a thousand by hand: `E2E_PAGE_VIEWS=1000`. */
const N_VIEWS = Number(process.env.E2E_PAGE_VIEWS || 40);
const N_AT_ONCE = 4;
/** Views of one visitor, one after the other in a tab. */
const N_A_VISIT = 5;

let ordinary;
const kept = keeper();
before(async () => {
  ordinary = kept.add(await startOrdinary());
});
after(kept.stop);

/** So that a run can be repeated: `E2E_SEED`. */
const SEED = Number(process.env.E2E_SEED || Date.now() % 2 ** 31);
let state = SEED;
const random = (n) => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};

/** It counts a few clicks as it loads. */
const PAGE = `${tag()}<script>
  for (let i = 0; i < new URLSearchParams(location.search).get("n"); i++) lastmile("increment", "clicks_total", { of: "load" });
</script>`;

/** What a push may meet while its page is there, and as it goes: then nobody could send again what nobody had. */
const TROUBLES = ["unheard", "unread", { status: 503 }, { status: 429, headers: { "Retry-After": "1" } }, { millis: 300 }];
const AS_IT_GOES = [undefined, undefined, "unheard", { millis: 300 }];

test(`${N_VIEWS} page views`, { timeout: 60_000 + N_VIEWS * 2_000 }, async (t) => {
  t.diagnostic(`E2E_SEED=${SEED}`);
  const it = await startMeasured(kept, ordinary.browser, { pages: { "/": PAGE } });
  let nViews = 0;

  const view = async (page, proxy, isLast) => {
    const n = random(6);
    it.clicked(n);
    nViews += 1;
    proxy.meet();
    await page.goto(`${proxy.url}/?n=${n}&view=${nViews}`, { waitUntil: random(2) ? "load" : "commit" });
    // Some go at once, before the script is there: that is no page view.
    await page.waitForFunction(() => window[Symbol.for("lastmile")] && document.readyState === "complete");
    if (random(3) === 0) {
      proxy.meet(...Array.from({ length: 1 + random(2) }, () => TROUBLES[random(TROUBLES.length)]));
      await it.click(page, 1 + random(4));
      await page.evaluate(() => window.lastmile("flush"));
      await page.waitForTimeout(random(1500));
    }
    await it.click(page, random(4));
    proxy.meet(AS_IT_GOES[random(AS_IT_GOES.length)]);
    if (isLast) {
      const isClosed = page.waitForEvent("close");
      await page.close({ runBeforeUnload: true });
      return isClosed;
    }
    if (random(3) === 0) {
      const reloaded = Number(new URL(page.url()).searchParams.get("n"));
      it.clicked(reloaded);
      nViews += 1;
      await page.reload();
    }
  };

  const visitor = async () => {
    const proxy = await it.another();
    while (nViews < N_VIEWS) {
      const context = await ordinary.browser.newContext();
      const page = await context.newPage();
      page.on("pageerror", (error) => it.errors.push(error.message));
      for (let i = 1; !page.isClosed(); i++) await view(page, proxy, i === N_A_VISIT || nViews + 1 >= N_VIEWS);
      // What went with the tab is under way.
      await new Promise((resolve) => setTimeout(resolve, 500));
      await context.close();
    }
  };
  await Promise.all(Array.from({ length: N_AT_ONCE }, visitor));

  await it.untilClicks();
  await it.untilSum(nViews, "client_page_loads_total");
  await it.check();
  assert.equal(await it.sum("clicks_total"), it.nClicks());
  assert.equal(await it.sum("client_page_loads_total"), nViews);
  assert.deepEqual(it.errors, []);
  const repeats = await it.sum("lastmile_duplicate_batches_total");
  t.diagnostic(`${nViews} page views, ${it.nClicks()} clicks, ${repeats} batches came again`);
});
