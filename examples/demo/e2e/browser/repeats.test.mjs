// A push whose connection breaks when the aggregator has it: Chromium sends it again by itself, and no page knows.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ofPackage, startClients } from "../support/clients.mjs";
import { keeper, until } from "../support/processes.mjs";

const SCHEMA = `
[[family]]
name = "clicks_total"
type = "counter"
labels = [{ name = "where", values = ["here"] }]

[[faro]]
item = "event"
when = { name = "click" }
family = "clicks_total"
labels = { where = "const:here" }
`;

const pages = (to) => ({
  "/faro.js": ofPackage("@grafana/faro-web-sdk/dist/bundle/faro-web-sdk.iife.js"),
  "/faro": `<script src="/faro.js"></script><script>
    window.faro = GrafanaFaroWebSdk.initializeFaro({
      url: "${to}/collect",
      app: { name: "student" },
      batching: { sendTimeout: 50 },
      dedupe: false,
      instrumentations: [],
    });
    window.click = () => window.faro.api.pushEvent("click", undefined, undefined, { skipDedupe: true });
  </script>`,
  "/lm1": `<script>
    ((name, root) => {
      const stub = function () { stub.q.push(arguments); };
      stub.q = [];
      stub.aggregatorServerRoot = root;
      stub.everySecs = 0.2;
      window.PrometheusAggregatorObjectName = name;
      window[name] = stub;
      const script = document.createElement("script");
      script.async = true;
      script.src = root + "/static/aggregatorClient.js";
      document.head.append(script);
    })("prometheusAggregator", "${to}");
    window.click = () => window.prometheusAggregator("increment", "clicks_total", { where: "here" }, 1);
  </script>`,
});

let clients;
const kept = keeper();
before(async () => {
  clients = await startClients(kept, SCHEMA, pages);
});
after(kept.stop);

const CLICKS = 'clicks_total{where="here"}';

/** Clicks on such a page, of which every second one's push loses its answer. */
const breaks = async (pagePath, path, format) => {
  const before = await clients.value(CLICKS);
  const pushes = () => clients.proxy.requests.filter((r) => r.method === "POST" && r.path === path && r.status > 0);
  const page = await clients.browser.newPage();
  await page.goto(clients.origin + pagePath, { waitUntil: "load" });
  let nClicks = 0;
  let nLost = 0;
  const click = async () => {
    nClicks += 1;
    await page.evaluate(() => window.click());
    await clients.untilSum(before + nClicks, "clicks_total");
  };
  await page.waitForTimeout(500);
  for (let i = 0; i < 3; i++) {
    await click();
    await page.waitForTimeout(300);
    clients.proxy.loseNextAnswer();
    await click();
    nLost += 1;
    const lost = () => pushes().filter(({ isLost }) => isLost).length;
    await until("an answer was lost", async () => (lost() === nLost ? true : undefined));
    await until("it was sent again", async () => {
      const bodies = pushes().map(({ body }) => body);
      const again = pushes().filter(({ isLost, body }) => isLost && bodies.filter((b) => b === body).length > 1);
      return again.length === nLost || undefined;
    });
  }
  await page.goto("about:blank");
  await page.close();
  await clients.untilSum(nLost, "lastmile_duplicate_batches_total", `format="${format}"`);
  assert.equal(await clients.value(CLICKS), before + nClicks, "each click counts once");
};

test("lm1: totals are exact and what came twice is counted as that", async () => {
  await breaks("/lm1", "/lm", "lm1");
});

test("Faro: the same by its Idempotency-Key", async () => {
  await breaks("/faro", "/collect", "faro");
  const keys = clients.proxy.requests.filter(({ path, method }) => path === "/collect" && method === "POST");
  assert.ok(new Set(keys.map(({ headers }) => headers["idempotency-key"])).size < keys.length, "a key came twice");
});
