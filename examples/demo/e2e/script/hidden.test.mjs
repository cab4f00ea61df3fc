// Web vitals as they stand when a page is first hidden, and pages that nobody sees.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { startOrdinary, startUndriven } from "../support/browser.mjs";
import { clickSlowly, MOVING, untilEntry, untilMoved } from "../support/clients.mjs";
import { keeper, until } from "../support/processes.mjs";
import { startMeasured, tag } from "../support/scripts.mjs";

let ordinary;
const kept = keeper();
before(async () => {
  ordinary = kept.add(await startOrdinary());
});
after(kept.stop);

const ofPackage = (folder) =>
  readFileSync(new URL(`${folder}/node_modules/web-vitals/dist/web-vitals.iife.js`, import.meta.url), "utf8");

/** A page that has the library itself, too, which notes. */
const BODY = `${MOVING}<script src="/web-vitals.js"></script><script>
  window.told = [];
  for (const name of ["CLS", "INP", "LCP", "FCP", "TTFB"]) {
    webVitals["on" + name](({ name, value, id }) => told.push({ name, value, id, isFirst: !told.some((t) => t.name === name) }));
  }
</script>`;

const start = (options) => startMeasured(kept, ordinary.browser, { context: ordinary.tabs, ...options });

/** After a click no idle moment may come for seconds, for which this version of the library waits. */
const idleSoon = () => {
  const native = window.requestIdleCallback.bind(window);
  window.requestIdleCallback = (then) => native(then, { timeout: 100 });
};

const NAMES = ["LCP", "INP", "FCP", "TTFB"];
const rounded = (value) => Number(value.toPrecision(3));

/** How often a vital was counted, and the sum of its values. */
const vital = async (it, name) => {
  const [family, labels] = name === "CLS" ? ["client_layout_shift", ""] : ["client_web_vital_seconds", `name="${name}"`];
  return { n: await it.sum(`${family}_count`, labels), sum: await it.sum(`${family}_sum`, labels) };
};

const VERSIONS = [
  ["the version that it is built with", "../../../../crates/lastmile-web"],
  ["a later one", ".."],
];

for (const [what, folder] of VERSIONS) {
  test(`web vitals are those of the library, ${what}, as the page is first hidden`, async () => {
    const pages = { "/shop/7": BODY + tag(), "/web-vitals.js": ofPackage(folder), "/other": "Another tab" };
    const it = await start({ pages, init: [idleSoon] });
    const page = await it.open("/shop/7?secret=1#fragment");
    await untilMoved(page);
    await clickSlowly(page);
    const other = await it.open("/other");
    await until("the page is hidden", async () => (await page.evaluate(() => document.visibilityState)) === "hidden" || undefined);
    await it.untilSum(NAMES.length, "client_web_vital_seconds_count");
    const told = await page.evaluate(() => window.told);
    for (const name of [...NAMES, "CLS"]) {
      const { value } = told.find((metric) => metric.name === name);
      assert.ok(name === "TTFB" || value > 0, `${name} is ${value}`);
      const { n, sum } = await vital(it, name);
      assert.equal(n, 1, name);
      const wanted = name === "CLS" ? rounded(value) : rounded(value / 1000);
      assert.ok(Math.abs(sum - wanted) < 1e-9, `${name}: ${sum} for ${wanted}`);
    }

    // A page that is seen and hidden again has had its say.
    for (let i = 0; i < 3; i++) {
      await page.bringToFront();
      await clickSlowly(page);
      await other.bringToFront();
    }
    await page.close();
    await other.close();
    await it.check();
    for (const name of [...NAMES, "CLS"]) assert.equal((await vital(it, name)).n, 1, name);
    assert.ok(it.pushes().every(({ body }) => !/secret|fragment|shop\/7/.test(body)), "a path without what names a thing");
    assert.ok(it.pushes().some(({ body }) => body.includes("page=/shop/:id")));
  });
}

for (const [how, before] of [
  ["", () => {}],
  [", also if measuring was stopped and started again", () => { window.lastmile("stop"); window.lastmile("start"); }],
]) {
  test(`a page that comes back out of the cache for going back has vitals of its own${how}`, async () => {
    const it = await start({ pages: { "/": BODY + tag(), "/web-vitals.js": ofPackage(".."), "/other": "Another page" } });
    const page = await it.open("/");
    await untilEntry(page, "largest-contentful-paint");
    await page.evaluate(before);
    await page.goto(`${it.origin}/other`);
    await it.goBack(page, "/");
    await it.untilSum(1, "client_page_loads_total", "bfcache");
    // The library takes the second frame for the paint.
    const frame = () => page.evaluate(() => new Promise((drawn) => { requestAnimationFrame(drawn); }));
    for (let i = 0; i < 4; i++) await frame();
    await page.goto("about:blank");
    const ofBoth = ["LCP", "FCP", "TTFB", "CLS"];
    await until("all came", async () => (await Promise.all(ofBoth.map((name) => vital(it, name)))).every(({ n }) => n >= 2) || undefined);
    await page.close();
    await it.check();
    for (const name of ofBoth) assert.equal((await vital(it, name)).n, 2, name);
  });
}

test("a page in the background counts as that, without vitals and times, also once it is seen", async () => {
  const it = await start({ pages: { "/": BODY + tag(), "/web-vitals.js": ofPackage("..") } });
  const session = await ordinary.browser.newBrowserCDPSession();
  const opened = it.context.waitForEvent("page");
  await session.send("Target.createTarget", { url: `${it.origin}/`, background: true });
  const page = await opened;
  await it.untilSum(1, "client_page_loads_total", "background");
  assert.equal(await it.sum("client_user_seconds_total"), 0);
  await page.bringToFront();
  await page.waitForTimeout(1200);
  await page.goto("about:blank");
  await it.untilSum(1, "client_page_loads_total");
  await until("it was seen", async () => (await it.sum("client_user_seconds_total")) > 1 || undefined);
  assert.equal(await it.sum("client_web_vital_seconds_count"), 0);
  assert.equal(await it.sum("client_layout_shift_count"), 0);
  assert.equal(await it.sum("client_navigation_seconds_count"), 0);
  await page.close();
});

describe("a page that is made ready before anyone asks for it", { concurrency: 6 }, () => {
  const rules = (path) => `<script type="speculationrules">{ "prerender": [{ "source": "list", "urls": ["${path}"], "eagerness": "immediate" }] }</script>`;
  const then = (path, millis) => `<script>setTimeout(() => { location.href = "${path}"; }, ${millis});</script>`;
  const ready = (more = "") => `${tag()}<script>
    lastmile("increment", "clicks_total", { of: document.prerendering ? "ready" : "seen" });
    fetch("/loaded?" + document.prerendering, { mode: "no-cors" });
    ${more}
  </script>`;

  test("counts once it is asked for, and never does otherwise", async () => {
    const it = await start({
      pages: {
        "/": rules("/never") + then("/list", 1500),
        "/list": rules("/asked") + then("/asked", 1500),
        "/never": ready(),
        "/asked": ready(`lastmile("increment", "clicks_total", { of: location.pathname });`),
      },
    });
    // Whoever drives a browser keeps it from this.
    const alone = kept.add(await startUndriven(`${it.origin}/`));
    await it.untilSum(1, "client_page_loads_total", "prerender");
    const loaded = it.proxy.requests.filter(({ path }) => path === "/loaded").map(({ query }) => query);
    assert.deepEqual(loaded, ["true", "true"]);
    await until("times and vitals came", async () => (await it.sum("client_web_vital_seconds_count")) > 0 || undefined);
    await alone.stop();
    assert.equal(await it.sum("client_page_loads_total"), 1);
    assert.equal(await it.sum("clicks_total", "/asked"), 1);
    assert.equal(await it.sum("clicks_total", "ready"), 1);
    assert.equal(await it.sum("clicks_total"), 2, "nothing of the page that nobody asked for");
    // It was there at once, and waiting for it did not count.
    assert.equal(await it.sum("client_navigation_seconds_sum", "responseStart"), 0);
    assert.equal(await it.sum("client_navigation_seconds_count", "responseStart"), 1);
    assert.equal((await vital(it, "TTFB")).sum, 0);
    assert.ok((await it.sum("client_user_seconds_total")) < 10);
  });

  test("says nothing if it was told to stop before", async () => {
    const it = await start({
      pages: { "/": rules("/asked") + then("/asked", 1500), "/asked": ready('lastmile("stop");') + then("/end", 2500), "/end": tag() },
    });
    const alone = kept.add(await startUndriven(`${it.origin}/`));
    await it.untilSum(1, "client_page_loads_total", "navigate");
    await alone.stop();
    assert.equal(await it.sum("client_page_loads_total"), 1);
    assert.equal(await it.sum("clicks_total"), 0);
  });
});
