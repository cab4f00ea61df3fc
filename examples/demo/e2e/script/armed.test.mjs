// `fetchLater`: what a page has counted lies with the browser, which sends it should the page crash.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startOrdinary } from "../support/browser.mjs";
import { keeper, until } from "../support/processes.mjs";
import { armedIn, idsIn, noting, startMeasured, tag } from "../support/scripts.mjs";

let browser;
const kept = keeper();
before(async () => {
  ({ browser } = kept.add(await startOrdinary()));
});
after(kept.stop);

/** A page that does not hear that it is left, if it is told so; the script then cannot send anything itself. */
const DEAF = `<script>
  for (const type of ["pagehide", "visibilitychange"]) {
    addEventListener(type, (event) => { if (window.isDeaf) event.stopImmediatePropagation(); }, true);
  }
</script>`;
const PAGES = { "/": DEAF + tag('data-every="600"'), "/next": "Another page" };

const start = () => startMeasured(kept, browser, { pages: PAGES, init: [noting] });

/** Counts so many clicks, and waits until they lie with the browser. */
const clickArmed = async (it, page, n) => {
  await it.click(page, n);
  return until("the clicks are left with the browser", async () => {
    const last = (await armedIn(page)).at(-1);
    return last && !last.isAborted && last.body.includes(`"clicks_total;of=click":${n}`) ? last : undefined;
  });
};

const crash = async (it, page) => {
  const crashed = page.waitForEvent("crash");
  const session = await it.context.newCDPSession(page);
  session.send("Page.crash").catch(() => {});
  await crashed;
  await page.close();
};

/** None of what was taken back from the browser was sent. */
const checkAborted = (it, armed) => {
  const sent = new Set(it.pushes().flatMap(({ body }) => idsIn(body)));
  const firstOf = ({ body }) => idsIn(body).at(-1);
  const aborted = armed.filter(({ isAborted }) => isAborted).map(firstOf);
  assert.ok(aborted.length > 0, "something was taken back");
  assert.deepEqual(aborted.filter((id) => sent.has(id)), []);
};

describe("a page that crashes", { concurrency: 6 }, () => {
  test("loses at most what it counted in its last second", async () => {
    const it = await start();
    const page = await it.openSent("/");
    await clickArmed(it, page, 5);
    await page.evaluate(() => window.lastmile("increment", "clicks_total", { of: "late" }));
    await crash(it, page);
    await it.untilSum(6, "clicks_total", "click");
    assert.ok((await it.sum("clicks_total", "late")) <= 1);
    assert.equal(await it.sum("lastmile_refused_total"), 0);
  });

  for (const [what, trouble] of [["was not taken", { status: 503 }], ["was counted, and broke off", "unheard"]]) {
    test(`and has a push that ${what}`, async () => {
      const it = await start();
      const page = await it.openSent("/");
      // The browser may ask again by itself.
      it.proxy.meet(trouble, trouble);
      await it.click(page, 3);
      const isAnswered = page.evaluate(() => {
        const native = window.fetch;
        return new Promise((resolve) => {
          window.fetch = (...args) => {
            const answer = native(...args);
            answer.then(resolve, resolve);
            return answer;
          };
          window.lastmile("flush");
        }).then(() => {});
      });
      await isAnswered;
      it.proxy.meet();
      const { body } = await clickArmed(it, page, 4);
      assert.equal(idsIn(body).length, 2, "the line that nobody acknowledged, and a new one");
      await crash(it, page);
      await it.check();
    });
  }
});

describe("what lies with the browser", { concurrency: 6 }, () => {
  test("is taken back before a flush, and is not sent then nor when the page goes", async () => {
    const it = await start();
    const page = await it.openSent("/");
    for (let i = 0; i < 2; i++) {
      await clickArmed(it, page, 3);
      await page.evaluate(() => window.lastmile("flush"));
      await it.untilClicks();
    }
    const armed = await armedIn(page);
    await page.goto("about:blank");
    await page.close();
    await it.check();
    checkAborted(it, armed);
    assert.equal(await it.sum("lastmile_duplicate_batches_total"), 0);
  });

  test("is taken back as the page goes, which sends it itself", async () => {
    const it = await start();
    const page = await it.openSent("/");
    await clickArmed(it, page, 3);
    await page.goto(`${it.origin}/next`);
    await it.untilClicks();
    await it.goBack(page, "/");
    checkAborted(it, await armedIn(page));
    await it.check();
    assert.equal(await it.sum("lastmile_duplicate_batches_total"), 0);
  });

  test("comes where a page does not hear that it is left for good", async () => {
    const it = await start();
    const page = await it.openSent("/");
    await clickArmed(it, page, 3);
    await page.evaluate(() => { window.isDeaf = true; });
    await page.close({ runBeforeUnload: true });
    await it.untilClicks();
    await it.check();
  });

  test("came, as the page lay in the cache for going back: it is the page's again, and counted once", async () => {
    const it = await start();
    const page = await it.openSent("/");
    await clickArmed(it, page, 3);
    await page.evaluate(() => { window.isDeaf = true; });
    await page.goto(`${it.origin}/next`);
    await it.untilClicks();
    const { body } = it.pushes().at(-1);
    // An id belongs to an origin.
    const stale = () => fetch(`${it.origin}/lm`, { method: "POST", body, headers: { Origin: it.origin } });
    await stale();
    await it.goBack(page, "/");
    await page.evaluate(() => { window.isDeaf = false; });
    await it.click(page, 2);
    await page.evaluate(() => window.lastmile("flush"));
    await stale();
    await it.check();
    const asked = it.pushes().filter((push) => push.body.includes(idsIn(body)[0]));
    assert.ok(asked.length >= 4, "by the browser, the page and twice by hand");
    assert.ok((await it.sum("lastmile_duplicate_batches_total")) >= 3);
  });
});
