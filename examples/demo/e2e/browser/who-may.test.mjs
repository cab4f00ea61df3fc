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

let listed;
let aggregator;
let proxy;
let browser;
const kept = keeper();
before(async () => {
  listed = kept.add(await startSite());
  aggregator = kept.add(await startAggregator("--origins", listed.origin));
  proxy = kept.add(await startProxy(aggregator.publicUrl));
  browser = await startBrowser("--host-resolver-rules=MAP rebound.example 127.0.0.1");
  kept.add({ stop: () => browser.close() });
});
after(kept.stop);

const value = async (series) => samples((await scrape(aggregator.metricsUrl)).text).get(series);
const untilValue = (series, wanted) =>
  until(`${series} is ${wanted}`, async () => ((await value(series)) === wanted ? true : undefined));
const sent = (method) => proxy.requests.filter((request) => request.method === method).length;

/** Sends from the page with `fetch`: the status, or the name of the error that the page sees. */
const send = (page, options, push = PUSH) =>
  page.evaluate(
    ([url, body, options]) =>
      fetch(url, { method: "POST", body, ...options }).then((answer) => answer.status, (error) => error.name),
    [`${proxy.url}/lm`, JSON.stringify(push), options],
  );

const beacon = (page) =>
  page.evaluate(([url, body]) => navigator.sendBeacon(url, body), [`${proxy.url}/lm`, JSON.stringify(PUSH)]);

/** What every page of a listed origin can do, whatever its own policies. */
const pushes = async (site) => {
  const before = await value(LOADS);
  const { page, errors } = await openPage(browser, site.origin);
  assert.equal(await send(page, {}), 204);
  assert.equal(await send(page, { keepalive: true, credentials: "omit" }), 204);
  assert.equal(await send(page, { headers: { "Content-Type": "application/json" } }), 204);
  assert.equal(await send(page, { mode: "no-cors" }), 0, "an answer that the page cannot read is still one");
  assert.ok(await beacon(page));
  await untilValue(LOADS, before + 5);
  assert.deepEqual(errors, []);
  return page;
};

describe("a page of a listed origin", () => {
  test("pushes in every way that browsers have", async () => {
    await (await pushes(listed)).close();
  });

  test("is asked once for many pushes of JSON", async () => {
    const { page } = await openPage(browser, `${listed.origin}/json`);
    const [before, preflights] = [await value(LOADS), sent("OPTIONS")];
    const headers = { "Content-Type": "application/json", "Idempotency-Key": "a-key-of-this-page" };
    for (let i = 0; i < 10; i++) {
      headers["Idempotency-Key"] = `key-of-this-page-${i}`;
      assert.equal(await send(page, { headers }), 204);
    }
    assert.equal(await value(LOADS), before + 10);
    assert.ok(sent("OPTIONS") - preflights <= 1, `${sent("OPTIONS") - preflights} preflights`);
    await page.close();
  });

  test("can read how long its pushes took", async () => {
    const { page } = await openPage(browser, listed.origin);
    assert.equal(await send(page, {}), 204);
    const starts = await page.evaluate((url) =>
      performance.getEntriesByName(`${url}/lm`).map((entry) => entry.requestStart > 0), proxy.url);
    assert.deepEqual(starts, [true]);
    await page.close();
  });
});

describe("a page with policies of its own", () => {
  const withHeaders = async (headers, check = () => {}) => {
    const site = await startSite(headers);
    const own = await startAggregator("--origins", site.origin);
    const ownProxy = await startProxy(own.publicUrl);
    const saved = [aggregator, proxy];
    [aggregator, proxy] = [own, ownProxy];
    try {
      const page = await pushes(site);
      await check(page);
      await page.close();
    } finally {
      [aggregator, proxy] = saved;
      for (const thing of [ownProxy, own, site]) await thing.stop();
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
    const site = kept.add(await startSite());
    const { page } = await openPage(browser, site.origin);
    const refusals = 'lastmile_requests_refused_total{reason="origin"}';
    const [loads, refused] = [await value(LOADS), await value(refusals)];
    assert.equal(await send(page, {}), "TypeError", "it cannot read the answer");
    assert.equal(await send(page, { mode: "no-cors" }), 0);
    assert.equal(await send(page, { headers: { "Content-Type": "application/json" } }), "TypeError");
    assert.ok(await beacon(page), "the browser takes it, and nobody hears of it");
    // The third is refused by its preflight.
    await untilValue(refusals, refused + 4);
    assert.equal(await value(LOADS), loads);
    await page.close();
  });

  test("cannot read the private side under a name that it points here", async () => {
    const { port } = new URL(aggregator.metricsUrl);
    const page = await browser.newPage();
    const answer = await page.goto(`http://rebound.example:${port}/metrics`);
    assert.equal(answer.status(), 421);
    assert.doesNotMatch(await answer.text(), /client_/);
    const direct = await page.goto(`http://localhost:${port}/metrics`);
    assert.equal(direct.status(), 200);
    await page.close();
  });
});
