// `/static/aggregatorClient.js` behind the snippet that pages of prometheus-user-metrics have.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { startOrdinary } from "../support/browser.mjs";
import { keeper } from "../support/processes.mjs";
import { built, startMeasured } from "../support/scripts.mjs";

const inDemo = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** What such a server's file has: counters of the app, and each moment of a page's load. */
const SCHEMA = `
[[family]]
name = "usage_total"
type = "counter"
labels = [{ name = "feature", max_values = 10 }]

[[family]]
name = "response_time"
type = "histogram"
bounds = [0.1, 1]

${inDemo("schema/performance-timing.toml")}`;

/** The seed's own snippet, but for how often it sends. The server is another origin, as there. */
const snippet = (path) => `<script>
  (function (a, b, c, d, e) {
    a.PrometheusAggregatorObjectName = c;
    a[c] = a[c] || function () { (a[c].q = a[c].q || []).push(arguments); };
    a[c].aggregatorServerRoot = d;
    a[c].everySecs = e;
    var s = b.createElement("script"), m = b.getElementsByTagName("script")[0];
    s.async = 1;
    s.src = d + "${path}";
    m.parentNode.insertBefore(s, m);
  })(window, document, "prometheusAggregator", location.origin.replace("127.0.0.1", "localhost"), 1);
  prometheusAggregator("increment", "usage_total", { feature: "queued" }, 2);
</script>`;

const PAGES = {
  "/app": snippet("/static/aggregatorClient.js"),
  "/static/aggregatorClient.js": built("aggregatorClient.js"),
  // One that speaks the protocol of prometheus-user-metrics as its own script does.
  "/seed": snippet("/static/seed.js"),
  "/static/seed.js": inDemo("page/aggregatorClient.js"),
};

let browser;
const kept = keeper();
before(async () => {
  ({ browser } = kept.add(await startOrdinary()));
});
after(kept.stop);

const start = () => startMeasured(kept, browser, { pages: PAGES, schema: SCHEMA });
const call = (page, ...args) => page.evaluate((args) => window.prometheusAggregator(...args), args);

describe("the script for prometheus-user-metrics' pages", { concurrency: 6 }, () => {
  test("sums up what was queued and what is called", async () => {
    const it = await start();
    const warnings = [];
    it.context.on("console", (message) => { if (message.type() === "warning") warnings.push(message.text()); });
    const page = await it.open("/app");
    await it.untilSum(2, "usage_total", 'feature="queued"');
    // A text is no number, and would be added up as one.
    for (const value of ["3", NaN, -1, Infinity, null]) await call(page, "increment", "usage_total", { feature: "bad" }, value);
    await call(page, "observe", "response_time", {}, "3");
    await call(page, "decrement", "usage_total", {}, 3);
    assert.equal(warnings.length, 7, `${warnings}`);
    for (let i = 1; i <= 3; i++) {
      await call(page, "increment", "usage_total", { feature: "a;b=c%d" }, 0.1);
      await call(page, "increment", "usage_total", { feature: "a;b=c%d" }, 0.2);
      for (const seconds of [0.05, 0.05, 0.5]) await call(page, "observe", "response_time", {}, seconds);
    }
    await it.untilSum(0.9, "usage_total", 'feature="a;b=c%d"');
    await it.untilSum(9, "response_time_count");
    assert.equal(await it.value('response_time_bucket{le="0.1"}'), 6);
    await it.untilSum(1.8, "response_time_sum");
    await it.untilSum(1, "performance_timing_loadEventEnd_count");
    await it.check();
    assert.equal(await it.sum("usage_total", 'feature="bad"'), 0);
    assert.equal(await it.sum("client_page_loads_total"), 0, "its servers know nothing else");

    // As text without a preflight, a batch with an id a line.
    assert.equal(it.proxy.requests.filter(({ method }) => method === "OPTIONS").length, 0);
    assert.ok(it.pushes().length > 0);
    for (const { body, status, headers } of it.pushes()) {
      assert.equal(status, 204);
      assert.match(headers["content-type"], /^text\/plain/);
      assert.match(headers.origin, /127\.0\.0\.1/);
      for (const line of body.split("\n")) assert.match(line, /^\{"lm":1,"id":"[\w-]{16}","m":\{/);
    }
  });

  test("has the counts that the old protocol has, and those of the last interval", async () => {
    const came = {};
    for (const path of ["/seed", "/app"]) {
      const it = await start();
      const page = await it.open(path);
      await call(page, "increment", "usage_total", { feature: "shown" }, 3);
      await call(page, "observe", "response_time", {}, 0.5);
      await it.untilSum(3, "usage_total", 'feature="shown"');
      await it.untilSum(1, "performance_timing_domInteractive_count");
      if (path === "/app") await call(page, "increment", "usage_total", { feature: "last" }, 4);
      await page.goto("about:blank");
      await page.waitForTimeout(500);
      await it.check();
      const of = async (feature) => it.sum("usage_total", `feature="${feature}"`);
      came[path] = { queued: await of("queued"), shown: await of("shown"), observed: await it.sum("response_time_count") };
      if (path === "/app") came[path].last = await of("last");
    }
    const { last, ...counts } = came["/app"];
    assert.deepEqual(counts, { queued: 2, shown: 3, observed: 1 });
    assert.deepEqual(came["/seed"], counts);
    assert.equal(last, 4);
  });
});
