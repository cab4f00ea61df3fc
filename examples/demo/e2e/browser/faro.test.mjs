// Grafana's Faro Web SDK, as npm has it, against `POST /collect`.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { clickSlowly, ofPackage, startClients, untilEntry } from "../support/clients.mjs";
import { keeper } from "../support/processes.mjs";

const SCHEMA = `
[[family]]
name = "cart_render_seconds"
type = "histogram"
unit = "seconds"
bounds = [0.1, 1]
labels = [{ name = "app", values = ["student"] }]

[[family]]
name = "cart_items_total"
type = "counter"

[[faro]]
item = "measurement"
when = { type = "cart" }
value = "values.render_ms"
scale = 0.001
family = "cart_render_seconds"
labels = { app = "field:meta.app.name" }

[[faro]]
item = "event"
when = { name = "cart_filled" }
family = "cart_items_total"
`;

const pages = (to) => ({
  "/faro.js": ofPackage("@grafana/faro-web-sdk/dist/bundle/faro-web-sdk.iife.js"),
  "/app": `<p>A page with some text in it.</p><button>Click</button><script src="/faro.js"></script><script>
    window.faro = GrafanaFaroWebSdk.initializeFaro({
      url: "${to}/collect",
      apiKey: "what-an-api-key-is",
      app: { name: "student", version: "1.0.0" },
      user: { id: "7", email: "ann@school.example" },
    });
  </script>`,
});

let clients;
const kept = keeper();
before(async () => {
  clients = await startClients(kept, SCHEMA, pages);
});
after(kept.stop);

const N_VISITS = 3;

/** Three measurements, two kinds of errors, events alike and different, and a log. */
const use = async (page) => {
  await untilEntry(page, "largest-contentful-paint");
  await clickSlowly(page);
  await page.evaluate(() => {
    const { api } = window.faro;
    for (const render_ms of [80, 250.5, 2000]) api.pushMeasurement({ type: "cart", values: { render_ms } });
    api.pushError(new RangeError("a message that is nobody's business"));
    for (const items of ["1", "2", "3"]) api.pushEvent("cart_filled", { items });
    for (let i = 0; i < 3; i++) api.pushEvent("opened");
    api.pushLog(["a line"]);
    setTimeout(() => { throw new TypeError("thrown by the page"); });
  });
  await page.waitForTimeout(150);
};

const posts = () => clients.proxy.requests.filter(({ method, path }) => method === "POST" && path === "/collect");

/** What was sent, by its key: Chromium sends a request again by itself when its connection breaks. */
const payloads = () => {
  const bodies = new Map(posts().map(({ headers, body }) => [headers["idempotency-key"], body]));
  return [...bodies.values()].map((body) => JSON.parse(body));
};

describe("Faro", () => {
  test("what a page does is counted", async () => {
    for (let i = 0; i < N_VISITS; i++) {
      assert.deepEqual(await clients.visit(`/app?secret=${i}`, use), ["thrown by the page"]);
    }
    await clients.untilSum(3 * N_VISITS, "cart_render_seconds_count", 'app="student"');
    await clients.untilSum(2.3305 * N_VISITS, "cart_render_seconds_sum");
    await clients.untilSum(3 * N_VISITS, "cart_items_total");
    await clients.untilSum(2 * N_VISITS, "client_exceptions_total");
    for (const name of ["LCP", "INP", "FCP", "TTFB"]) {
      await clients.untilSum(N_VISITS, "client_web_vital_seconds_count", `name="${name}"`);
    }
    await clients.untilSum(N_VISITS, "client_layout_shift_count");
  });

  test("of events that are alike it sends one", async () => {
    const names = payloads().flatMap(({ events }) => events ?? []).map(({ name }) => name);
    assert.equal(names.filter((name) => name === "opened").length, N_VISITS, "of three in a row");
    await clients.untilSum(names.length, "client_events_total");
  });

  test("exactly what it sent is in the sums", async () => {
    const sent = payloads();
    assert.ok(sent.length >= N_VISITS);
    const measurements = sent.flatMap((payload) => payload.measurements ?? []);
    for (const name of ["lcp", "inp", "fcp", "ttfb"]) {
      const seconds = measurements.filter(({ values }) => name in values).map(({ values }) => values[name] / 1000);
      const label = `name="${name.toUpperCase()}"`;
      await clients.untilSum(seconds.reduce((a, b) => a + b), "client_web_vital_seconds_sum", label);
    }
    const nLogs = sent.flatMap((payload) => payload.logs ?? []).length;
    assert.ok(nLogs >= N_VISITS);
    const nUnmapped = measurements.filter(({ type }) => !["cart", "web-vitals"].includes(type)).length;
    await clients.untilSum(nLogs + nUnmapped, "lastmile_refused_total");
    await clients.untilSum(nLogs + nUnmapped, "lastmile_refused_total", "unknown_family");
    await clients.untilSum(posts().length - sent.length, "lastmile_duplicate_batches_total", 'format="faro"');
  });

  test("it is told what it expects, and asked for its headers once", async () => {
    assert.deepEqual([...new Set(posts().map(({ status }) => status))], [202]);
    assert.ok(posts().every(({ headers }) => headers["idempotency-key"]?.length >= 16), "each has a key");
    assert.ok(posts().every(({ headers }) => headers["x-api-key"] && headers["x-faro-session-id"]));
    assert.ok(clients.proxy.requests.some(({ method }) => method === "OPTIONS"));
    assert.equal(await clients.sum("lastmile_batches_without_id_total"), 0);
  });

  test("it gives no one away", async () => {
    for (const secret of ["secret", "ann", "thrown", "message", "127.0.0.1"]) {
      const all = await clients.sum("client_web_vital_seconds_count", secret);
      assert.equal(all, 0, secret);
    }
    assert.ok((await clients.sum("client_web_vital_seconds_count", 'page="/app"')) > 0, "the page is a path");
    assert.ok((await clients.sum("client_exceptions_total", 'type="')) > 0);
  });
});
