// The page comes from one origin and sends to another: the standalone aggregator.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { DEMO_SCHEMA, startAggregator, startDemo } from "../support/aggregator.mjs";
import { openPage } from "../support/browser.mjs";
import { keeper, until } from "../support/processes.mjs";
import { rise } from "../support/prometheus.mjs";
import { startProxy } from "../support/proxy.mjs";
import { startWatching } from "../support/watch.mjs";

let proxy;
let demo;
let prometheus;
let browser;
const kept = keeper();
before(async () => {
  const aggregator = kept.add(await startAggregator("--default-schema", "--schema", DEMO_SCHEMA));
  proxy = kept.add(await startProxy(aggregator.publicUrl));
  demo = kept.add(await startDemo("--aggregator", proxy.url));
  ({ prometheus, browser } = await startWatching(kept, aggregator.metricsUrl));
});
after(kept.stop);

describe("a page of another origin", () => {
  let opened;
  const sent = (path, method) =>
    proxy.requests.filter((request) => request.path === path && request.method === method).length;

  before(async () => {
    opened = await openPage(browser, demo.url);
    assert.notEqual(new URL(demo.url).origin, new URL(proxy.url).origin);
  });

  test("prometheus-user-metrics' protocol works, with a preflight", async () => {
    await opened.page.click("[data-feature=quickQuestion]");
    await opened.page.click("[data-feature=quickQuestion]");
    await prometheus.untilNumber(rise('usage_total{feature="quickQuestion"}'), 2);
    await prometheus.untilNumber(rise('app_load_succeeded{app="student"}'), 1);
    await prometheus.untilNumber(rise("performance_timing_loadEventEnd_count"), 1);
    assert.ok(sent("/record", "OPTIONS") >= 1, "application/json is asked for first");
    assert.ok(sent("/record", "POST") >= 1);
  });

  test("lm1 works, without a preflight", async () => {
    await opened.page.click("#throw");
    await prometheus.untilNumber(rise('client_errors_total{kind="js"}'), 1);
    await prometheus.untilNumber(rise('client_page_loads_total{type="navigate"}'), 1);
    assert.ok(sent("/lm", "POST") >= 1);
    assert.equal(sent("/lm", "OPTIONS"), 0);
  });

  test("a beacon of text works on /record, without a preflight", async () => {
    const preflights = sent("/record", "OPTIONS");
    const queued = await opened.page.evaluate((url) => {
      const labels = { browser: "safari", feature: "selfPacedMode" };
      const push = [{ metricName: "usage_total", metricType: "counter", labels, inc: 5 }];
      return navigator.sendBeacon(url, JSON.stringify(push)); // a string is text/plain
    }, `${proxy.url}/record`);
    assert.ok(queued);
    await prometheus.untilNumber(rise('usage_total{browser="safari",feature="selfPacedMode"}'), 5);
    assert.equal(sent("/record", "OPTIONS"), preflights);
  });

  test("each POST the browser sent is one that the aggregator counted", async () => {
    await opened.page.goto("about:blank");
    await until("the pushes are counted", async () => {
      const records = await prometheus.number("metrics_aggregator_record_total");
      const lines = await prometheus.number('lastmile_pushes_total{format="lm1"}');
      return (records === sent("/record", "POST") && lines === sent("/lm", "POST")) || undefined;
    });
    // Apart from the script.
    const pushes = proxy.requests.filter(({ method }) => method !== "GET");
    assert.deepEqual([...new Set(pushes.map(({ status }) => status))], [204]);
    assert.equal(await prometheus.number("sum(lastmile_refused_total)"), 0);
    assert.deepEqual(opened.errors, ["thrown by the demo"]);
  });

  test("a batch that the server could not take is sent again, the same string", async () => {
    const page = await browser.newPage();
    const bodies = [];
    await page.route(/\/lm\?/, (route) => {
      bodies.push(route.request().postData());
      if (bodies.length > 1) return route.continue();
      return route.fulfill({ status: 503, headers: { "Access-Control-Allow-Origin": "*" } });
    });
    await page.goto(demo.url);
    const pageLoads = rise('client_page_loads_total{type="navigate"}');
    await prometheus.untilNumber(pageLoads, 2);
    assert.match(bodies[0], /^\{"lm":1,"id":"[\w-]{16}",/);
    assert.equal(bodies[1].split("\n")[0], bodies[0]);
    await prometheus.twoScrapes();
    assert.equal(await prometheus.number(pageLoads), 2);
    await page.close();
  });
});
