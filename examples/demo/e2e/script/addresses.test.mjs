// A page that may send to two addresses: the second gets what the first surely does not have.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startOrdinary } from "../support/browser.mjs";
import { freePort, keeper, until } from "../support/processes.mjs";
import { idsIn, startMeasured, STUB } from "../support/scripts.mjs";

let browser;
const kept = keeper();
before(async () => {
  ({ browser } = kept.add(await startOrdinary()));
});
after(kept.stop);

/** Sends to where its own address says. */
const PAGE = `${STUB}<script>
  document.write('<script src="/lastmile.js" data-every="1" data-url="' + location.search.slice(1).replaceAll(",", " ") + '"></' + "script>");
</script>`;
const PAGES = { "/": PAGE, "/next": "Another page" };

const open = async (first) => {
  const it = await startMeasured(kept, browser, { pages: PAGES });
  const backup = await it.another();
  const page = await it.open(`/?${first ?? "/lm"},${backup.url}/lm`);
  const idsOf = (proxy) => new Set(proxy.requests.filter(({ method }) => method === "POST").flatMap(({ body }) => idsIn(body)));
  /** Ids that came to both. */
  const shared = () => [...idsOf(it.proxy)].filter((id) => idsOf(backup).has(id));
  return { it, backup, page, idsOf, shared };
};

describe("where the first address", { concurrency: 6 }, () => {
  test("has nobody who listens, the second gets all, once", async () => {
    const { it, backup, page, idsOf } = await open(`http://127.0.0.1:${await freePort()}/lm`);
    for (let i = 0; i < 4; i++) {
      await it.click(page, 3);
      await page.waitForTimeout(400);
    }
    await it.untilClicks();
    await it.click(page, 2);
    await page.goto("about:blank");
    await it.untilClicks();
    await it.check();
    assert.equal(idsOf(it.proxy).size, 0);
    assert.ok(idsOf(backup).size > 0);
  });

  test("goes in between, and the second goes later", async () => {
    const { it, backup, page } = await open();
    await it.click(page, 3);
    await it.untilClicks();
    await it.proxy.close();
    await it.click(page, 3);
    await it.untilClicks();
    await backup.close();
    await it.proxy.open();
    await it.click(page, 3);
    await it.untilClicks();
    await it.check();
  });

  for (const [what, trouble] of [
    ["has counted a batch and breaks off", "unheard"],
    ["breaks off when it may have a batch", "unread"],
    ["cannot take a batch now", { status: 503 }],
  ]) {
    test(`${what}, the second does not get that`, async () => {
      const { it, page, shared } = await open();
      it.proxy.meet(...Array(4).fill(trouble));
      await it.click(page, 3);
      await it.untilPushes(2);
      await it.click(page, 2);
      await page.waitForTimeout(1500);
      it.proxy.meet();
      await it.untilClicks();
      await it.check();
      assert.deepEqual(shared(), []);
    });
  }

  test("breaks off as the page goes, it is the one that is asked again", async () => {
    const { it, backup, page, shared } = await open();
    await it.click(page, 3);
    await it.untilClicks();
    const n = it.pushes().length;
    it.proxy.meet(...Array(4).fill("unheard"));
    await it.click(page, 3);
    await page.goto(`${it.origin}/next`);
    await until("it went", () => it.pushes().length > n || undefined);
    await it.untilClicks();
    it.proxy.meet();
    await it.goBack(page, "/");
    await it.click(page, 2);
    await it.check();
    assert.deepEqual(shared(), []);
    assert.equal(backup.requests.length, 0);
  });
});
