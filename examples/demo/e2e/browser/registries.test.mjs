// Registries in the page that push their text: promjs and @cabify/prom-react, against `POST /metrics`.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";

import { build } from "esbuild";

import { samples } from "../support/aggregator.mjs";
import { ofPackage, startClients } from "../support/clients.mjs";
import { keeper, until } from "../support/processes.mjs";

const TAGS = '{ name = "app_name", values = ["student"] }, { name = "owner", values = ["team"] }';
const SCHEMA = `
[[family]]
name = "clicks_total"
type = "counter"
labels = [{ name = "where", max_values = 10 }]

[[family]]
name = "plain_total"
type = "counter"

[[family]]
name = "draw_seconds"
type = "histogram"
unit = "seconds"
bounds = [0.1, 1]
labels = [{ name = "view", values = ["list", "map"] }]

[[family]]
name = "app_loaded"
type = "counter"
labels = [${TAGS}, { name = "status", values = ["success"] }]

[[family]]
name = "carts_filled"
type = "counter"
labels = [${TAGS}]
`;

/** The smallest app with the provider, which fills the cart whenever it is told to. */
const REACT_APP = `
import { createElement, useContext } from "react";
import { createRoot } from "react-dom/client";
import { MetricsContext, MetricsProvider } from "@cabify/prom-react";

const Cart = () => {
  const { observe } = useContext(MetricsContext);
  window.fillCart = () => observe("carts_filled", {});
  return createElement("p", null, "A cart");
};
const customMetrics = [{ type: "counter", name: "carts_filled", description: "Carts." }];
window.start = (metricsAggregatorUrl) => createRoot(document.querySelector("main")).render(
  createElement(MetricsProvider, { appName: "student", owner: "team", customMetrics, metricsAggregatorUrl },
    createElement(Cart)),
);
`;

const bundle = async () => {
  const resolveDir = fileURLToPath(new URL("..", import.meta.url));
  const { outputFiles } = await build({
    stdin: { contents: REACT_APP, resolveDir },
    bundle: true,
    write: false,
    format: "iife",
    define: { "process.env.NODE_ENV": '"production"', global: "window" },
    logLevel: "error",
  });
  return outputFiles[0].text;
};

let clients;
const kept = keeper();
before(async () => {
  const app = await bundle();
  clients = await startClients(kept, SCHEMA, (to) => ({
    "/promjs.js": ofPackage("promjs/browser/promjs.min.js"),
    "/promjs": `<script src="/promjs.js"></script><script>
      window.registry = promjs.default();
      window.clicks = registry.create("counter", "clicks_total", "Clicks.");
      window.plain = registry.create("counter", "plain_total", "Plain.");
      window.draws = registry.create("histogram", "draw_seconds", "Draws.", [0.1, 1]);
      window.push = () => {
        const body = registry.metrics();
        registry.reset();
        return fetch("${to}/metrics", { method: "POST", body, headers: { Prefer: "return=representation" } })
          .then((answer) => answer.json());
      };
    </script>`,
    "/app.js": app,
    "/react": `<main></main><script src="/app.js"></script><script>start("${to}/metrics");</script>`,
  }));
});
after(kept.stop);

test("promjs: three pushes and one of nothing new", async () => {
  const page = await clients.browser.newPage();
  await page.goto(`${clients.origin}/promjs`, { waitUntil: "load" });
  for (let i = 1; i <= 3; i++) {
    const report = await page.evaluate(() => {
      clicks.inc({ where: "here" });
      clicks.add(2, { where: "there, é" });
      plain.inc();
      for (const seconds of [0.05, 0.5, 5]) draws.observe(seconds, { view: "list" });
      return push();
    });
    // A series without labels that it writes of each collector is one that these families do not have.
    assert.deepEqual(Object.keys(report.refused), ["missing_label"]);
    assert.equal(await clients.value('clicks_total{where="here"}'), i);
    assert.equal(await clients.value('clicks_total{where="there, é"}'), 2 * i);
    assert.equal(await clients.value("plain_total"), i);
    assert.equal(await clients.value('draw_seconds_bucket{view="list",le="0.1"}'), i);
    assert.equal(await clients.value('draw_seconds_bucket{view="list",le="1.0"}'), 2 * i);
    assert.equal(await clients.value('draw_seconds_count{view="list"}'), 3 * i);
  }
  await clients.untilSum(16.65, "draw_seconds_sum");
  await page.evaluate(() => push());
  assert.equal(await clients.value('clicks_total{where="here"}'), 3);
  assert.equal(await clients.value('draw_seconds_count{view="list"}'), 9);

  // It escapes no label: nothing of such a push is guessed.
  const refused = await page.evaluate(() => {
    plain.inc();
    clicks.inc({ where: 'a "quote"' });
    return push();
  });
  assert.equal(refused.reason, "syntax");
  assert.ok(refused.offset > 0);
  assert.equal(await clients.value("plain_total"), 3, "nothing of it counts");
  await page.close();
});

describe("@cabify/prom-react", () => {
  test("what it sends is what is counted, which is more than the page did", async () => {
    const from = clients.proxy.requests.length;
    const page = await clients.browser.newPage();
    await page.goto(`${clients.origin}/react`, { waitUntil: "load" });
    await page.waitForFunction(() => window.fillCart);
    const pushes = () => clients.proxy.requests.slice(from).filter(({ method, status }) => method === "POST" && status > 0);
    await until("the app has said that it is there", async () => (pushes().length > 0 ? true : undefined));
    await page.waitForTimeout(300);
    // It sends its registry with each, and sets it to 0 when an answer has come: what happens meanwhile goes again.
    await page.evaluate(() => { for (let i = 0; i < 3; i++) window.fillCart(); });
    await page.waitForTimeout(500);
    await page.evaluate(() => window.fillCart());
    await page.waitForTimeout(300);

    const sent = (family) => pushes().flatMap(({ body }) => [...samples(body)])
      .filter(([series]) => series.split("{")[0] === family).reduce((sum, [, value]) => sum + value, 0);
    assert.ok(pushes().length >= 4);
    assert.equal(await clients.sum("carts_filled"), sent("carts_filled"));
    assert.equal(await clients.sum("app_loaded"), sent("app_loaded"));
    assert.ok((await clients.sum("carts_filled")) > 4, "of the three at once, two are told of again: 1 + 2 + 3, and 1");
    assert.deepEqual([...new Set(pushes().map(({ status }) => status))], [204]);
    await page.close();
  });
});
