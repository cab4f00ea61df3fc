// Which pages may push, under which policies of their own, and that no page can read.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { samples, scrape, startAggregator } from "../support/aggregator.mjs";
import { openPage, startBrowser } from "../support/browser.mjs";
import { keeper, until } from "../support/processes.mjs";
import { startProxy } from "../support/proxy.mjs";
import { startSite } from "../support/site.mjs";

const LOADS = 'client_page_loads_total{type="navigate"}';
const PUSH = { lm: 1, m: { "client_page_loads_total;type=navigate": 1 } };

let site;
let pushed;
let browser;
const kept = keeper();

/** An aggregator for pages of one site, behind a proxy that notes what they send. */
const startFor = async (kept, { origin }) => {
  const aggregator = kept.add(await startAggregator("--origins", origin));
  return { proxy: kept.add(await startProxy(aggregator.publicUrl)), metricsUrl: aggregator.metricsUrl };
};

before(async () => {
  site = kept.add(await startSite());
  pushed = await startFor(kept, site);
  browser = await startBrowser("--host-resolver-rules=MAP rebound.example 127.0.0.1");
  kept.add({ stop: () => browser.close() });
});
after(kept.stop);

const value = async ({ metricsUrl }, series) => samples((await scrape(metricsUrl)).text).get(series);
const untilValue = (to, series, wanted) =>
  until(`${series} is ${wanted}`, async () => ((await value(to, series)) === wanted ? true : undefined));
const sent = ({ proxy }, method) => proxy.requests.filter((request) => request.method === method).length;

/** Sends from the page with `fetch`: the status, or the name of the error that the page sees. */
const send = (page, { proxy }, options) =>
  page.evaluate(
    ([url, body, options]) =>
      fetch(url, { method: "POST", body, ...options }).then((answer) => answer.status, (error) => error.name),
    [`${proxy.url}/lm`, JSON.stringify(PUSH), options],
  );

const beacon = (page, { proxy }) =>
  page.evaluate(([url, body]) => navigator.sendBeacon(url, body), [`${proxy.url}/lm`, JSON.stringify(PUSH)]);

/** What every page of a listed origin can do, whatever its own policies. */
const pushes = async (site, to) => {
  const before = await value(to, LOADS);
  const { page, errors } = await openPage(browser, site.origin);
  assert.equal(await send(page, to, {}), 204);
  assert.equal(await send(page, to, { keepalive: true, credentials: "omit" }), 204);
  assert.equal(await send(page, to, { headers: { "Content-Type": "application/json" } }), 204);
  assert.equal(await send(page, to, { mode: "no-cors" }), 0, "an answer that the page cannot read is still one");
  assert.ok(await beacon(page, to));
  await untilValue(to, LOADS, before + 5);
  assert.deepEqual(errors, []);
  return page;
};

describe("a page of a listed origin", () => {
  test("pushes in every way that browsers have", async () => {
    await (await pushes(site, pushed)).close();
  });

  test("is asked once for many pushes of JSON", async () => {
    const { page } = await openPage(browser, `${site.origin}/json`);
    const [before, preflights] = [await value(pushed, LOADS), sent(pushed, "OPTIONS")];
    for (let i = 0; i < 10; i++) {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": `key-of-this-page-${i}` };
      assert.equal(await send(page, pushed, { headers }), 204);
    }
    assert.equal(await value(pushed, LOADS), before + 10);
    assert.ok(sent(pushed, "OPTIONS") - preflights <= 1, `${sent(pushed, "OPTIONS") - preflights} preflights`);
    await page.close();
  });

  test("can read how long its pushes took", async () => {
    const { page } = await openPage(browser, site.origin);
    assert.equal(await send(page, pushed, {}), 204);
    const starts = await page.evaluate((url) =>
      performance.getEntriesByName(`${url}/lm`).map((entry) => entry.requestStart > 0), pushed.proxy.url);
    assert.deepEqual(starts, [true]);
    await page.close();
  });
});

describe("a page with policies of its own", () => {
  const withHeaders = async (headers, check = () => {}) => {
    const own = keeper();
    try {
      const site = own.add(await startSite(headers));
      const page = await pushes(site, await startFor(own, site));
      await check(page);
      await page.close();
    } finally {
      await own.stop();
    }
  };

  test("a strict Content-Security-Policy lets it push", () =>
    withHeaders({ "Content-Security-Policy": "default-src 'none'; connect-src http://127.0.0.1:*" }));

  test("so does cross-origin isolation", () =>
    withHeaders(
      { "Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Opener-Policy": "same-origin" },
      async (page) => assert.ok(await page.evaluate(() => crossOriginIsolated)),
    ));
});

describe("a page of another origin", () => {
  test("is refused, whatever it sends and however", async () => {
    const other = kept.add(await startSite());
    const { page } = await openPage(browser, other.origin);
    const refusals = 'lastmile_requests_refused_total{reason="origin"}';
    const [loads, refused] = [await value(pushed, LOADS), await value(pushed, refusals)];
    assert.equal(await send(page, pushed, {}), "TypeError", "it cannot read the answer");
    assert.equal(await send(page, pushed, { mode: "no-cors" }), 0);
    assert.equal(await send(page, pushed, { headers: { "Content-Type": "application/json" } }), "TypeError");
    assert.ok(await beacon(page, pushed), "the browser takes it, and nobody hears of it");
    // The third is refused by its preflight.
    await untilValue(pushed, refusals, refused + 4);
    assert.equal(await value(pushed, LOADS), loads);
    await page.close();
  });

  test("cannot read the private side under a name that it points here", async () => {
    const { port } = new URL(pushed.metricsUrl);
    const page = await browser.newPage();
    const answer = await page.goto(`http://rebound.example:${port}/metrics`);
    assert.equal(answer.status(), 421);
    assert.doesNotMatch(await answer.text(), /client_/);
    const direct = await page.goto(`http://localhost:${port}/metrics`);
    assert.equal(direct.status(), 200);
    await page.close();
  });
});
