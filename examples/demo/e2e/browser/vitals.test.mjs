// Plain beacons of web-vitals, perfume.js and boomerang, by mappings such as README has them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { clickSlowly, MOVING, ofPackage, startClients, untilMoved } from "../support/clients.mjs";
import { keeper, until } from "../support/processes.mjs";

/** As the documentation of the crate has it. */
const MAPPINGS = readFileSync(new URL("../../../../crates/lastmile/mappings/beacons.toml", import.meta.url), "utf8");

const pages = (to) => ({
  "/web-vitals.js": ofPackage("web-vitals/dist/web-vitals.iife.js"),
  "/perfume.js": ofPackage("perfume.js/dist/perfume.iife.min.js"),
  "/boomerang.js": ofPackage("boomerangjs/boomerang.js"),
  "/rt.js": ofPackage("boomerangjs/plugins/rt.js"),
  "/painttiming.js": ofPackage("boomerangjs/plugins/painttiming.js"),
  // README of web-vitals, "Send the results to an analytics endpoint", with its one mistake put right: what it calls
  // `navigationURL` is a field of the metric.
  "/each": `${MOVING}<script src="/web-vitals.js"></script><script>
    function sendToAnalytics(metric) {
      const body = JSON.stringify({
        name: metric.name,
        value: metric.value,
        id: metric.id,
        page_location: metric.navigationURL,
      });
      navigator.sendBeacon("${to}/web-vitals", body);
    }
    for (const name of ["CLS", "INP", "LCP", "FCP", "TTFB"]) webVitals["on" + name](sendToAnalytics);
  </script>`,
  // The same, "Batch multiple reports together": whole metrics, entries and all.
  "/batch": `${MOVING}<script src="/web-vitals.js"></script><script>
    const queue = new Set();
    const addToQueue = (metric) => queue.add(metric);
    const flushQueue = () => {
      if (queue.size > 0) navigator.sendBeacon("${to}/web-vitals-batch", JSON.stringify([...queue]));
      queue.clear();
    };
    for (const name of ["CLS", "INP", "LCP", "FCP", "TTFB"]) webVitals["on" + name](addToQueue);
    addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") flushQueue(); });
  </script>`,
  "/perfume": `${MOVING}<script src="/perfume.js"></script><script>
    Perfume.initPerfume({
      analyticsTracker: (options) => navigator.sendBeacon("${to}/perfume", JSON.stringify(options)),
    });
  </script>`,
  ...Object.fromEntries(["GET", "POST"].map((type) => [`/boomerang-${type}`, `${MOVING}
    <script src="/boomerang.js"></script><script src="/rt.js"></script><script src="/painttiming.js"></script><script>
    BOOMR.init({ beacon_url: "${to}/boomerang", beacon_type: "${type}" });
  </script>`])),
});

let clients;
const kept = keeper();
before(async () => {
  clients = await startClients(kept, MAPPINGS, pages);
});
after(kept.stop);

/** A click, once the page was painted and has moved. */
const click = async (page) => {
  await untilMoved(page);
  await clickSlowly(page);
};

const VITALS = ["LCP", "INP", "FCP", "TTFB"];

/** Each vital was counted once for each visit, and its sum is that of the values which were sent, in seconds. */
const checkVitals = async (before, values, nVisits) => {
  for (const name of VITALS) {
    const sent = values.filter((metric) => metric.name === name).map(({ value }) => value / 1000);
    assert.equal(sent.length, nVisits, `${name} is told once a visit`);
    const label = `name="${name}"`;
    await clients.untilSum(before[name].n + nVisits, "client_web_vital_seconds_count", label);
    await clients.untilSum(before[name].sum + sent.reduce((a, b) => a + b), "client_web_vital_seconds_sum", label);
  }
};

const vitals = async () => {
  const of = async (name) => [name, {
    n: await clients.sum("client_web_vital_seconds_count", `name="${name}"`),
    sum: await clients.sum("client_web_vital_seconds_sum", `name="${name}"`),
  }];
  return Object.fromEntries(await Promise.all(VITALS.map(of)));
};

const N_VISITS = 3;

describe("web-vitals", () => {
  for (const [how, page, path] of [["one by one", "/each", "/web-vitals"], ["in batches", "/batch", "/web-vitals-batch"]]) {
    test(`${how}, as its README sends them`, async () => {
      const before = await vitals();
      const shifts = await clients.sum("client_layout_shift_count");
      for (let i = 0; i < N_VISITS; i++) assert.deepEqual(await clients.visit(`${page}?secret=${i}`, click), []);
      await clients.untilSum(shifts + N_VISITS, "client_layout_shift_count");
      const values = clients.sent(path).flatMap((body) => JSON.parse(body));
      assert.ok(clients.sent(path).length >= N_VISITS);
      await checkVitals(before, values, N_VISITS);
      assert.ok((await clients.sum("client_layout_shift_sum")) > 0, "something moved");
    });
  }

  test("the page is a path, once it has come often enough", async () => {
    // Three batches of the path, and those before it count as `other`.
    assert.ok((await clients.sum("client_web_vital_seconds_count", 'page="/each"')) > 0);
    assert.equal(await clients.sum("client_web_vital_seconds_count", "secret"), 0);
  });
});

/** What perfume.js told under a name. */
const perfumes = (name) => {
  const told = clients.sent("/perfume").map((body) => JSON.parse(body));
  return told.filter(({ metricName }) => metricName === name).map(({ data }) => data);
};

test("perfume.js", async () => {
  const before = await vitals();
  const loads = await clients.sum("client_navigation_seconds_count", 'phase="responseEnd"');
  for (let i = 0; i < N_VISITS; i++) assert.deepEqual(await clients.visit("/perfume", click), []);
  await until("each page has told of itself", async () => perfumes("navigationTiming").length === N_VISITS || undefined);
  const ended = perfumes("navigationTiming").filter(({ totalTime }) => totalTime >= 0).length;
  await clients.untilSum(loads + ended, "client_navigation_seconds_count", 'phase="responseEnd"');
  for (const name of VITALS) {
    const values = perfumes(name).map((data) => data / 1000);
    await clients.untilSum(before[name].n + values.length, "client_web_vital_seconds_count", `name="${name}"`);
    await clients.untilSum(before[name].sum + values.reduce((a, b) => a + b, 0), "client_web_vital_seconds_sum", `name="${name}"`);
  }
  for (const name of ["FCP", "TTFB"]) {
    assert.equal(perfumes(name).length, N_VISITS, name);
  }
});

describe("boomerang", () => {
  for (const type of ["GET", "POST"]) {
    test(`a form by ${type}`, async () => {
      const of = (family, labels) => clients.sum(family, labels);
      const phase = 'phase="loadEventEnd"';
      const before = {
        n: await of("client_navigation_seconds_count", phase),
        sum: await of("client_navigation_seconds_sum", phase),
        fcp: await of("client_web_vital_seconds_count", 'name="FCP"'),
      };
      const from = clients.proxy.requests.length;
      for (let i = 0; i < N_VISITS; i++) {
        await clients.visit(`/boomerang-${type}`, (page) => page.waitForTimeout(300));
      }
      const forms = () => clients.proxy.requests.slice(from).filter(({ path }) => path.startsWith("/boomerang"))
        .map(({ method, query, body }) => ({ method, form: new URLSearchParams(method === "GET" ? query : body) }));
      const loads = () => forms().filter(({ form }) => form.has("rt.start"));
      await clients.untilSum(before.n + N_VISITS, "client_navigation_seconds_count", phase);
      assert.equal(loads().length, N_VISITS);
      assert.ok(loads().every(({ method }) => method === type));
      const seconds = loads().map(({ form }) => Number(form.get("t_done")) / 1000);
      await clients.untilSum(before.sum + seconds.reduce((a, b) => a + b), "client_navigation_seconds_sum", phase);
      const painted = loads().filter(({ form }) => form.has("pt.fcp")).length;
      await clients.untilSum(before.fcp + painted, "client_web_vital_seconds_count", 'name="FCP"');
      assert.ok(forms().some(({ form }) => form.has("rt.quit")), "a page that is left says so");
    });
  }
});

test("nothing of it is a fault", async () => {
  const statuses = clients.proxy.requests.map(({ status }) => status);
  assert.deepEqual([...new Set(statuses)], [204]);
  assert.equal(await clients.sum("lastmile_push_errors_total"), 0);
  // What perfume.js and boomerang say beside what is mapped is counted as that. While a page still comes in perfume.js
  // takes 0 for its end, which makes a time below 0. Nothing else is refused.
  const early = perfumes("navigationTiming").filter(({ totalTime }) => totalTime < 0).length;
  const unmapped = await clients.sum("lastmile_refused_total", "unknown_family");
  assert.equal(await clients.sum("lastmile_refused_total"), unmapped + early);
  assert.equal(await clients.sum("lastmile_refused_total", "negative"), early);
});
