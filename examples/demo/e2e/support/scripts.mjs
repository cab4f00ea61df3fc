// Pages that our own scripts measure, in front of an aggregator of their own behind a proxy that makes trouble.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { startAggregatorAt, withSchema } from "./aggregator.mjs";
import { until } from "./processes.mjs";
import { startProxy } from "./proxy.mjs";
import { totalsAt } from "./totals.mjs";

/** As it was built, and is served. */
export const built = (name) => readFileSync(new URL(`../../../../crates/lastmile-web/dist/${name}`, import.meta.url), "utf8");

const BUILT = new Map(["lastmile.js", "lastmile-core.js", "aggregatorClient.js"].map((name) => [`/${name}`, built(name)]));

const SCHEMA = `
[[family]]
name = "clicks_total"
type = "counter"
labels = [{ name = "of", max_values = 100 }]

[[family]]
name = "answer_seconds"
type = "histogram"
bounds = [0.1, 1]
`;

/** Calls may be made before the script is there. */
export const STUB = `<script>window.lastmile = function () { (lastmile.q = lastmile.q || []).push(arguments); };</script>`;

/** The script's tag with these attributes; it sends once a second, the shortest that there is. */
export const tag = (attributes = "", src = "/lastmile.js") =>
  `${STUB}<script src="${src}" ${attributes} data-every="1"></script>`; // of two equal attributes the first counts

/** Web pages by their paths, what is in their body; the built scripts are there, too. */
export const serving = (pages) => (name) => {
  const script = BUILT.get(name);
  const headers = (type) => ({ "Content-Type": `${type}; charset=utf-8` });
  if (script) return { headers: headers("text/javascript"), body: script };
  const page = pages[name];
  if (page === undefined) return undefined;
  if (typeof page !== "string") return page;
  if (name.endsWith(".js")) return { headers: headers("text/javascript"), body: page };
  const head = `<!doctype html><link rel="icon" href="data:,"><title>${name}</title>`;
  return { headers: headers("text/html"), body: head + page };
};

/** What a page does before anything else of it: back-offs are drawn, so with this they are short. */
const hurry = () => {
  const { random } = Math;
  Math.random = () => random() / 8;
};

/** Answers that do not come are waited for, for a twentieth of the time. */
export const impatient = () => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (millis) => timeout(millis / 20);
};

/** Notes what is left with the browser, in `window.armed`. */
export const noting = () => {
  const native = window.fetchLater;
  window.armed = [];
  window.fetchLater = (url, options) => {
    const result = native.call(window, url, options);
    window.armed.push({ body: options.body, options, result });
    return result;
  };
};

/** What was left with the browser so far: `{ body, isAborted, isActivated }`. */
export const armedIn = (page) =>
  page.evaluate(() => window.armed.map(({ body, options, result }) => (
    { body, isAborted: options.signal.aborted, isActivated: result.activated }
  )));

/** The ids of a body's lines. */
export const idsIn = (body) => [...body.matchAll(/"id":"([^"]+)"/g)].map(([, id]) => id);

/**
 * An aggregator, a proxy in front of it that has `pages`, too, and a context of the browser, `context` or one of its own.
 * The pages count `clicks_total`, and what they have counted is noted here.
 */
export const startMeasured = async (kept, browser, { pages = { "/": tag() }, init = [], schema = "", context, isHurried = true } = {}) => {
  const start = (publicAt, privateAt) => withSchema(SCHEMA + schema, (...args) => startAggregatorAt(publicAt, privateAt, ...args, "--default-schema"));
  let aggregator = await start("127.0.0.1:0", "127.0.0.1:0");
  kept.add({ stop: () => aggregator.stop() });
  const another = async () => kept.add(await startProxy(aggregator.publicUrl, undefined, serving(pages)));
  const proxy = await another();
  const own = context ?? (await browser.newContext());
  const errors = [];
  const failed = [];
  let nClicks = 0;

  const { sum, untilSum, value } = totalsAt(() => aggregator.metricsUrl);
  const pushes = () => proxy.requests.filter(({ method, path }) => method === "POST" && path.startsWith("/lm"));

  const self = {
    proxy,
    context: own,
    origin: proxy.url,
    publicUrl: aggregator.publicUrl,
    /** Starts one more proxy that has the pages. */
    another,
    /** What pages threw, and the requests of theirs that failed. */
    errors,
    failed,
    sum,
    untilSum,
    value,
    pushes,
    /** Waits until so many pushes have come. */
    untilPushes: (n) => until(`${n} pushes came`, () => pushes().length >= n || undefined, { everyMillis: 20 }),
    /** Opens a page that has loaded. */
    open: async (path = "/") => {
      const page = await own.newPage();
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("requestfailed", (request) => failed.push(request.url()));
      for (const script of isHurried ? [hurry, ...init] : init) await page.addInitScript(script);
      await page.goto(path.startsWith("http") ? path : proxy.url + path, { waitUntil: "load" });
      return page;
    },
    /** Opens one that has sent the first time, as each does soon, and then a click. */
    openSent: async (path) => {
      const n = pushes().length;
      const page = await self.open(path);
      await self.untilPushes(n + 1);
      await self.click(page);
      await until("the click came", async () => {
        await page.evaluate(() => window.lastmile("flush"));
        return (await sum("clicks_total")) === nClicks || undefined;
      });
      return page;
    },
    /** Counts so many clicks in the page. */
    click: async (page, n = 1, of = "click") => {
      nClicks += n;
      await page.evaluate(([n, of]) => {
        for (let i = 0; i < n; i++) window.lastmile("increment", "clicks_total", { of });
      }, [n, of]);
    },
    /** Goes back to a page of ours, and waits until it has loaded, if the browser did not keep it. */
    goBack: async (page, path) => {
      await page.evaluate(() => history.back()).catch(() => {});
      const where = () => page.evaluate(() => document.readyState === "complete" && location.pathname).catch(() => undefined);
      await until(`it is back at ${path}`, async () => ((await where()) === path ? true : undefined), { everyMillis: 50 });
    },
    nClicks: () => nClicks,
    /** Notes clicks that a page counts by itself. */
    clicked: (n) => { nClicks += n; },
    untilClicks: (n = nClicks) => untilSum(n, "clicks_total"),
    /** Kills the aggregator, and starts another at its addresses after this. */
    restart: async (meanwhile) => {
      const { publicUrl, metricsUrl } = aggregator;
      await aggregator.kill();
      await meanwhile();
      aggregator = await start(new URL(publicUrl).host, new URL(metricsUrl).host);
    },
    /** Leaves the pages, then: what they counted is what the aggregator has, but for this many lost with so many batches. */
    check: async ({ lost = 0, dropped = 0 } = {}) => {
      for (const page of own.pages()) {
        if (page.url().startsWith("http")) await page.goto("about:blank").catch(() => {});
      }
      await untilSum(nClicks - lost, "clicks_total");
      await untilSum(dropped, "client_dropped_total");
      await until("all is answered", () => pushes().every(({ status }) => status !== 0) || undefined);
      assert.equal(await sum("clicks_total"), nClicks - lost, "clicks");
      assert.equal(await sum("lastmile_refused_total"), 0, "refused samples");
      assert.equal(await sum("lastmile_push_errors_total"), 0, "bodies that are no push");
      if (!context) await own.close();
    },
  };
  return self;
};
