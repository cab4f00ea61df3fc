// What a page, its visitor and its site choose: samples, privacy, when to start, where it runs, and that it runs at all.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startOrdinary } from "../support/browser.mjs";
import { keeper } from "../support/processes.mjs";
import { armedIn, noting, startMeasured, STUB, tag } from "../support/scripts.mjs";

let browser;
const kept = keeper();
before(async () => {
  ({ browser } = kept.add(await startOrdinary()));
});
after(kept.stop);

const HTML = { "Content-Type": "text/html" };
const policy = (text) => ({ ...HTML, "Content-Security-Policy": text });

const PAGES = {
  "/": tag(),
  "/quarter": tag('data-one-in="4"'),
  "/all-the-same": tag('data-gpc="false"'),
  "/manual": tag("data-manual"),
  "/no-frames": tag('data-skip="frames"'),
  "/twice": `${tag()}<script src="/lastmile.js" data-every="1"></script><script src="/lastmile-core.js"></script>`,
  "/core": tag("", "/lastmile-core.js"),
  "/named": tag('data-name="measure"').replaceAll("lastmile =", "measure =").replaceAll("lastmile.q", "measure.q"),
  "/strict": {
    headers: policy("default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; require-trusted-types-for 'script'"),
    body: `<!doctype html><title>Strict</title><link rel="icon" href="data:,"><script src="/stub.js"></script><script src="/lastmile.js" data-every="1"></script>`,
  },
  "/stub.js": STUB.replaceAll(/<.?script>/g, ""),
  "/unconnected": {
    headers: policy("connect-src 'none'"),
    body: `<!doctype html><title>Unconnected</title><link rel="icon" href="data:,">${tag()}`,
  },
  "/blocked": tag("", "/no-such-script.js"),
  "/worker": "<script>window.worker = new Worker('/worker.js');</script>",
  "/worker.js": `importScripts("/lastmile-core.js");
    onmessage = ({ data }) => {
      for (let i = 0; i < data; i++) self.lastmile("increment", "clicks_total", { of: "worker" });
      self.lastmile("increment", "clicks_total", { of: "worker" }, 0);
      setTimeout(() => { throw new Error("of the worker"); });
    };`,
};

const start = (init = [], isHurried = true) => startMeasured(kept, browser, { pages: PAGES, init, isHurried });

/** Clicks without noting it: nobody is to hear of them. */
const clickUnheard = (page) => page.evaluate(() => {
  for (let i = 0; i < 3; i++) window.lastmile("increment", "clicks_total", { of: "unheard" });
  window.lastmile("flush");
});

/** For longer than the script ever waits before its first push, and also as the page goes, nothing was sent. */
const checkSilent = async (it, page, n = 0) => {
  await page.waitForTimeout(2500);
  await page.goto("about:blank");
  await page.waitForTimeout(200);
  assert.equal(it.pushes().length, n);
  assert.deepEqual(it.errors, []);
  await it.check();
};

describe("a sample of the page views", { concurrency: 6 }, () => {
  for (const [drawn, isMeasured] of [[0.2, true], [0.3, false]]) {
    test(`one in four, ${isMeasured ? "of which this is one" : "of which this is none"}`, async () => {
      const it = await start([`Math.random = () => ${drawn};`], false);
      const page = await it.open("/quarter");
      await page.evaluate(() => {
        for (let i = 0; i < 3; i++) window.lastmile("increment", "clicks_total", { of: "sample" });
        window.lastmile("observe", "answer_seconds", {}, 0.5);
      });
      if (!isMeasured) return checkSilent(it, page);
      it.clicked(12);
      await it.check();
      await it.untilSum(4, "answer_seconds_count");
      await it.untilSum(4, "client_page_loads_total");
    });
  }
});

describe("who wants to be left alone", { concurrency: 6 }, () => {
  const wish = 'Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true });';

  test("is", async () => {
    const it = await start([wish, noting]);
    const page = await it.open();
    await clickUnheard(page);
    assert.deepEqual(await armedIn(page), []);
    await checkSilent(it, page);
  });

  test("is measured by a site that says that it may", async () => {
    const it = await start([wish]);
    const page = await it.open("/all-the-same");
    await it.click(page, 3);
    await it.check();
  });

  test("is not measured before the page says so, and then with what was counted until then", async () => {
    const it = await start([noting]);
    const page = await it.open("/manual");
    await it.click(page, 3);
    await page.evaluate(() => window.lastmile("flush"));
    await page.waitForTimeout(2500);
    assert.equal(it.pushes().length, 0);
    assert.deepEqual(await armedIn(page), []);
    await page.evaluate(() => window.lastmile("start"));
    await it.untilClicks();
    await it.untilSum(1, "client_page_loads_total", "navigate");
    await it.check();
  });
});

/** Notes the timers and the observers that there are, in `window.going`. */
const watching = () => {
  const timers = new Set();
  const observers = new Set();
  window.going = { timers, observers };
  const { setInterval, clearInterval } = window;
  window.setInterval = (...args) => {
    const timer = setInterval(...args);
    timers.add(timer);
    return timer;
  };
  window.clearInterval = (timer) => {
    timers.delete(timer);
    clearInterval(timer);
  };
  const { observe, disconnect } = PerformanceObserver.prototype;
  PerformanceObserver.prototype.observe = function (...args) {
    observers.add(this);
    return observe.apply(this, args);
  };
  PerformanceObserver.prototype.disconnect = function () {
    observers.delete(this);
    return disconnect.call(this);
  };
};

describe("a page that stops measuring", { concurrency: 6 }, () => {
  for (const path of ["/", "/no-frames", "/core"]) {
    test(`${path}: nothing is sent any more, and nothing goes on`, async () => {
      const it = await start([noting, watching]);
      const page = await it.openSent(path);
      if (path !== "/core") await page.evaluate((url) => window.lastmile("ping", "alive", url, 1), `${it.origin}/`);
      // So that something waits, and something lies with the browser.
      it.proxy.meet(...Array(10).fill({ status: 503 }));
      await clickUnheard(page);
      await page.waitForTimeout(1200);
      const going = () => page.evaluate(() => ({ timers: window.going.timers.size, observers: window.going.observers.size }));
      const before = await going();
      assert.ok(before.timers >= 1 && (path === "/core" || before.observers >= 3), JSON.stringify(before));
      await page.evaluate(() => window.lastmile("stop"));
      it.proxy.meet();
      const n = it.pushes().length;
      assert.deepEqual(await going(), { timers: 0, observers: 0 });
      assert.deepEqual((await armedIn(page)).filter(({ isAborted }) => !isAborted), []);
      await clickUnheard(page);
      await page.evaluate(() => { setTimeout(() => { throw new Error("after the end"); }); });
      await page.waitForTimeout(2500);
      await page.goto("about:blank");
      await page.waitForTimeout(200);
      assert.equal(it.pushes().length, n);
      await it.check();
      assert.equal(await it.sum("client_errors_total"), 0);
    });
  }

  test("may start again, and counts what it counts from then on", async () => {
    const it = await start();
    const page = await it.openSent("/");
    await page.evaluate(() => window.lastmile("stop"));
    await clickUnheard(page);
    await page.evaluate(() => window.lastmile("start"));
    await it.click(page, 3);
    await it.untilClicks();
    await it.check();
    assert.equal(await it.sum("client_page_loads_total"), 1);
    assert.equal(await it.sum("client_navigation_seconds_count", "responseEnd"), 1);
  });
});

describe("the script", { concurrency: 6 }, () => {
  test("that loads once more finds the first", async () => {
    const it = await start();
    const page = await it.open("/twice");
    await it.click(page, 3);
    await page.evaluate(() => { setTimeout(() => { throw new Error("once"); }); });
    await it.untilSum(1, "client_errors_total", "js");
    await it.check();
    assert.equal(await it.sum("client_page_loads_total"), 1);
  });

  test("has the name that the page wants", async () => {
    const it = await start();
    const page = await it.open("/named");
    await page.evaluate(() => window.measure("increment", "clicks_total", { of: "named" }, 2));
    assert.equal(await page.evaluate(() => typeof window.lastmile), "undefined");
    it.clicked(2);
    await it.check();
  });

  test("counts in a worker", async () => {
    const it = await start();
    const page = await it.open("/worker");
    await page.evaluate(() => window.worker.postMessage(3));
    it.clicked(3);
    await it.untilClicks();
    await it.untilSum(1, "client_errors_total", "js");
    assert.equal(await it.sum("client_page_loads_total"), 0, "a worker is no page");
    assert.equal(await it.sum("lastmile_refused_total"), 0);
  });

  test("works under a strict policy, without eval, inline scripts or types that are not trusted", async () => {
    const violated = `window.violated = []; addEventListener("securitypolicyviolation", ({ violatedDirective }) => window.violated.push(violatedDirective));`;
    const it = await start([violated]);
    const page = await it.open("/strict");
    await it.click(page, 3);
    await it.untilClicks();
    assert.deepEqual(await page.evaluate(() => window.violated), []);
    await it.check();
    assert.deepEqual(it.errors, []);
  });

  for (const [what, path] of [["is blocked", "/blocked"], ["may connect to nobody", "/unconnected"]]) {
    test(`that ${what} harms nothing`, async () => {
      const it = await start();
      const page = await it.open(path);
      await clickUnheard(page);
      await page.waitForTimeout(2500);
      await page.evaluate(() => { document.title = "It goes on"; });
      assert.equal(await page.title(), "It goes on");
      await checkSilent(it, page);
    });
  }
});
