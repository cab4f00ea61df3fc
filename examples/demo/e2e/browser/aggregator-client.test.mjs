// `GET /static/aggregatorClient.js` behind the snippet that pages of prometheus-user-metrics have.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startClients } from "../support/clients.mjs";
import { keeper, until } from "../support/processes.mjs";

const SCHEMA = `
[[family]]
name = "usage_total"
type = "counter"
labels = [{ name = "feature", max_values = 10 }]

[[family]]
name = "response_time"
type = "histogram"
bounds = [0.1, 1]

[[family]]
name = "performance_timing_loadEventEnd"
type = "histogram"
bounds = [1]
`;

/** The seed's own snippet, but for how often it sends. */
const snippet = (to) => `<script>
  (function (a, b, c, d, e) {
    a.PrometheusAggregatorObjectName = c;
    a[c] = a[c] || function () { (a[c].q = a[c].q || []).push(arguments); };
    a[c].aggregatorServerRoot = d;
    a[c].everySecs = e;
    var s = b.createElement("script"), m = b.getElementsByTagName("script")[0];
    s.async = 1;
    s.src = d + "/static/aggregatorClient.js";
    m.parentNode.insertBefore(s, m);
  })(window, document, "prometheusAggregator", "${to}", 0.3);
  prometheusAggregator("increment", "usage_total", { feature: "queued" }, 2);
</script>`;

let clients;
const kept = keeper();
before(async () => {
  clients = await startClients(kept, SCHEMA, (to) => ({ "/app": snippet(to) }));
});
after(kept.stop);

const call = (page, ...args) => page.evaluate((args) => window.prometheusAggregator(...args), args);
const posts = () => clients.proxy.requests.filter(({ method, path }) => method === "POST" && path === "/lm");

describe("the script for prometheus-user-metrics' pages", () => {
  test("sums up what was queued and what is called", async () => {
    const page = await clients.browser.newPage();
    const warnings = [];
    page.on("console", (message) => { if (message.type() === "warning") warnings.push(message.text()); });
    await page.goto(`${clients.origin}/app`, { waitUntil: "load" });
    await clients.untilSum(2, "usage_total", 'feature="queued"');
    for (let i = 1; i <= 3; i++) {
      await call(page, "increment", "usage_total", { feature: "a;b=c%d" }, 0.1);
      await call(page, "increment", "usage_total", { feature: "a;b=c%d" }, 0.2);
      for (const seconds of [0.05, 0.05, 0.5]) await call(page, "observe", "response_time", {}, seconds);
      await clients.untilSum(3 * i, "response_time_count");
    }
    await clients.untilSum(0.9, "usage_total", 'feature="a;b=c%d"');
    assert.equal(await clients.value('response_time_bucket{le="0.1"}'), 6);
    await clients.untilSum(1.8, "response_time_sum");
    await clients.untilSum(1, "performance_timing_loadEventEnd_count");
    await call(page, "increment", "usage_total", {}, "3");
    await call(page, "decrement", "usage_total", {}, 3);
    assert.deepEqual(warnings.length, 2, `${warnings}`);
    assert.equal(posts().some(({ body }) => /decrement|"3"/.test(body)), false);

    // The last of it goes with the page.
    await page.evaluate(() => {
      for (let i = 0; i < 3; i++) window.prometheusAggregator("increment", "usage_total", { feature: "last" }, 1);
    });
    await page.goto("about:blank");
    await clients.untilSum(3, "usage_total", 'feature="last"');
    await page.close();
  });

  test("posts text without a preflight, a batch with an id a line", () => {
    assert.ok(posts().length >= 4);
    assert.equal(clients.proxy.requests.filter(({ method }) => method === "OPTIONS").length, 0);
    for (const { body, status, headers } of posts()) {
      assert.equal(status, 204);
      assert.match(headers["content-type"], /^text\/plain/);
      for (const line of body.split("\n")) assert.match(line, /^\{"lm":1,"id":"[\w-]{16}","m":\{/);
    }
  });

  test("sends what nobody took again, as it was", async () => {
    const page = await clients.browser.newPage();
    const bodies = [];
    await page.route("**/lm", (route) => {
      bodies.push(route.request().postData());
      const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After", "Retry-After": "1" };
      if (bodies.length === 1) return route.fulfill({ status: 503, headers });
      if (bodies.length === 2) return route.abort();
      return route.continue();
    });
    await page.goto(`${clients.origin}/app`, { waitUntil: "load" });
    const queued = await clients.value('usage_total{feature="queued"}');
    await until("it was sent three times", async () => (bodies.length >= 3 ? true : undefined));
    await clients.untilSum(queued + 2, "usage_total", 'feature="queued"');
    const [first] = bodies[0].split("\n");
    assert.ok(bodies.slice(0, 3).every((body) => body.split("\n")[0] === first));
    await page.waitForTimeout(600);
    assert.equal(await clients.value('usage_total{feature="queued"}'), queued + 2);
    assert.equal(await clients.sum("lastmile_push_errors_total"), 0);
    await page.close();
  });

  // The server knows an id for ten minutes; 400 s is more than the script relies on.
  for (const [what, clock, millis, isSentAgain] of [
    ["when the page's clock went on", "performance", 400_000, false],
    ["when it stood still and the wall clock went on", "Date", 400_000, false],
    ["when the wall clock was set back", "Date", -400_000, true],
  ]) {
    test(`gives up in time what somebody may have taken, ${what}`, async () => {
      const page = await clients.browser.newPage();
      const lines = [];
      await page.route("**/lm", async (route) => {
        lines.push(route.request().postData());
        if (lines.length > 1) return route.continue();
        // Meanwhile another batch is closed, which nobody can have taken.
        await call(page, "increment", "usage_total", { feature: "later" }, 1);
        await page.waitForTimeout(600);
        await page.evaluate(([clock, millis]) => {
          const now = window[clock].now.bind(window[clock]);
          window[clock].now = () => now() + millis;
        }, [clock, millis]);
        return route.fulfill({ status: 503, headers: { "Access-Control-Allow-Origin": "*" } });
      });
      const of = (feature) => clients.sum("usage_total", `feature="${feature}"`);
      const [queued, later] = [await of("queued"), await of("later")];
      await page.goto(`${clients.origin}/app`, { waitUntil: "load" });
      await clients.untilSum(later + 1, "usage_total", 'feature="later"');
      assert.match(lines[0], /feature=queued/);
      assert.equal((await of("queued")) - queued, isSentAgain ? 2 : 0);
      await page.close();
    });
  }
});
