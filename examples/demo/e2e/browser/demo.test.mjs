// One command, one page, one Prometheus: what a person clicks on the demo's page is what PromQL says.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startDemo } from "../support/aggregator.mjs";
import { openPage } from "../support/browser.mjs";
import { keeper } from "../support/processes.mjs";
import { rise } from "../support/prometheus.mjs";
import { startWatching } from "../support/watch.mjs";

let demo;
let prometheus;
let browser;
const kept = keeper();
before(async () => {
  demo = kept.add(await startDemo());
  ({ prometheus, browser } = await startWatching(kept, demo.metricsUrl));
});
after(kept.stop);

describe("the demo's page", () => {
  let opened;
  let startedAt;

  test("is clicked", async () => {
    startedAt = Date.now();
    opened = await openPage(browser, demo.url);
    const { page } = opened;
    const click = async (selector, times) => {
      for (let i = 0; i < times; i++) await page.click(selector);
    };
    await click("[data-feature=quickQuestion]", 3);
    await click("[data-feature=showContent]", 2);
    await click("[data-feature=blockStudent]", 1);
    for (let i = 0; i < 2; i++) {
      await page.click("#slow");
      await page.waitForFunction(() => document.getElementById("said").textContent.startsWith("It took"));
    }
    await page.click("#blocked");
    await page.waitForFunction(() => document.getElementById("said").textContent.startsWith("Not reachable"));
    await click("#throw", 2);
    assert.deepEqual(opened.errors, ["thrown by the demo", "thrown by the demo"]);
  });

  test("its counts arrive in Prometheus, each exactly once", async () => {
    // Closed families: by how much they rose.
    const rises = {
      'usage_total{browser="chrome",feature="quickQuestion"}': 3,
      'usage_total{browser="chrome",feature="showContent"}': 2,
      'usage_total{browser="chrome",feature="blockStudent"}': 1,
      usage_total: 6,
      'app_load_succeeded{app="student"}': 1,
      'client_page_loads_total{type="navigate"}': 1,
      client_page_loads_total: 1,
      'client_errors_total{kind="js"}': 2,
      client_errors_total: 2,
      performance_timing_navigationStart_count: 1,
      performance_timing_loadEventEnd_count: 1,
      'client_navigation_seconds_count{phase="loadEventEnd"}': 1,
    };
    // Open ones are not there before their first sample: their value.
    const values = {
      'client_ping_seconds_count{target="slow-third-party"}': 2,
      'client_ping_failures_total{target="blocked-third-party",reason="error"}': 1,
      'firebase_response_time_count{firebaseHost="slow-third-party"}': 2,
      'firebase_response_time_bucket{firebaseHost="slow-third-party",le="+Inf"}': 2,
    };
    const wanted = [
      ...Object.entries(rises).map(([selector, number]) => [rise(selector), number]),
      ...Object.entries(values),
      ["sum(lastmile_refused_total)", 0],
      ["sum(lastmile_push_errors_total) or vector(0)", 0],
    ];
    for (const [promql, number] of wanted) await prometheus.untilNumber(promql, number);
    await prometheus.twoScrapes();
    for (const [promql, number] of wanted) assert.equal(await prometheus.number(promql), number, promql);

    // `increase` extrapolates, but what rose has risen.
    assert.ok(await prometheus.number('sum(increase(usage_total{feature="quickQuestion"}[1m]))') > 0);
    const slow = await prometheus.number('client_ping_seconds_sum{target="slow-third-party"}');
    assert.ok(slow > 0.2 && slow < 20, `two answers after 0.1 to 1.5 seconds each took ${slow}`);
  });

  test("its visible seconds are counted", async () => {
    const seconds = await prometheus.number(rise("client_user_seconds_total"));
    const open = (Date.now() - startedAt) / 1000;
    assert.ok(seconds > 1 && seconds <= open, `${seconds} of ${open} seconds`);
  });

  test("a newcomer sees it on the page itself", async () => {
    const { page } = opened;
    const metrics = page.locator("#metrics");
    await page.waitForFunction(() =>
      document.getElementById("metrics").textContent.includes('usage_total{browser="chrome",feature="quickQuestion"} 3'));
    assert.match(await metrics.textContent(), /client_page_loads_total\{type="navigate"\} 1/);
    assert.equal(await page.locator("#tile-loads").textContent(), "1");
    assert.equal(await page.locator("#tile-features").textContent(), "6");
    assert.equal(await page.locator("#tile-errors").textContent(), "2");
  });

  test("what happened just before leaving arrives too", async () => {
    const { page } = opened;
    await page.click("[data-feature=quickQuestion]");
    await page.click("#throw");
    await page.goto("about:blank");
    await prometheus.untilNumber(rise('usage_total{feature="quickQuestion"}'), 4);
    await prometheus.untilNumber(rise('client_errors_total{kind="js"}'), 3);
    await page.close();
  });

  test("a second visit is a second page load", async () => {
    const { page } = await openPage(browser, demo.url);
    await page.reload();
    await prometheus.untilNumber(rise('client_page_loads_total{type="navigate"}'), 2);
    await prometheus.untilNumber(rise('client_page_loads_total{type="reload"}'), 1);
    await page.close();
  });
});
