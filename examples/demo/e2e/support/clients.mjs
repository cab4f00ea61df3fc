// Pages with scripts that others wrote: as npm has them, against an aggregator behind a proxy that notes what they sent.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { startAggregatorOn } from "./aggregator.mjs";
import { startBrowser } from "./browser.mjs";
import { startProxy } from "./proxy.mjs";
import { totalsAt } from "./totals.mjs";

/** A file of a package, as it was installed. */
export const ofPackage = (path) => readFileSync(new URL(`../node_modules/${path}`, import.meta.url), "utf8");

/** Of a page: something to paint, something to click, and something that moves without a click once it was painted. */
export const MOVING = `<p id="moves">A page with some text in it.</p><button>Click</button>
<script>
  const move = () => { document.querySelector("#moves").style.marginTop = "40px"; };
  new PerformanceObserver(move).observe({ type: "paint", buffered: true });
</script>`;

/**
 * Waits until the browser has told the page of an entry of this type, and so whoever else observes it; a page that is left
 * before it was painted has none.
 */
export const untilEntry = (page, type) =>
  page.evaluate((type) => new Promise((resolve) => {
    new PerformanceObserver((_, observer) => {
      observer.disconnect();
      resolve();
    }).observe({ type, buffered: true });
  }), type);

/** Waits until it is known what of a `MOVING` page was painted, and that it has moved. */
export const untilMoved = async (page) => {
  await untilEntry(page, "largest-contentful-paint");
  await untilEntry(page, "layout-shift");
};

/** Clicks the page's button, which takes long enough to be an interaction, and waits until scripts know. */
export const clickSlowly = async (page) => {
  await page.evaluate(() => {
    const isTold = new Promise((resolve) => {
      new PerformanceObserver((list) => {
        if (list.getEntries().some(({ interactionId }) => interactionId > 0)) resolve();
      }).observe({ type: "event", durationThreshold: 40 });
    });
    Object.assign(window, { isTold });
    document.querySelector("button").addEventListener("click", ({ target }) => {
      const until = performance.now() + 60;
      while (performance.now() < until);
      target.textContent = "Clicked";
    });
  });
  await page.click("button");
  await page.evaluate(() => window.isTold);
  // web-vitals looks at it when the page is idle, or after a second; a page that is hidden before has no INP.
  await page.evaluate(() => new Promise((resolve) => {
    requestIdleCallback(() => setTimeout(resolve, 20), { timeout: 1000 });
  }));
};

/** `{ origin, stop() }`: pages by their paths; scripts end in `.js`, the others are the body of a page. */
const startPages = async (pages) => {
  const server = createServer(({ url }, answer) => {
    const page = pages[new URL(url, "http://localhost").pathname];
    const isScript = /\.js(\?|$)/.test(url);
    answer.writeHead(page === undefined ? 404 : 200, {
      "Content-Type": `${isScript ? "text/javascript" : "text/html"}; charset=utf-8`,
    });
    answer.end(isScript ? page : `<!doctype html><link rel="icon" href="data:,"><title>A page</title>${page ?? ""}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
};

/**
 * An aggregator on this TOML and the default schema, a browser, and `pages(to)`, which are told where to send; `kept`, a
 * keeper, stops all.
 */
export const startClients = async (kept, schema, pages, ...args) => {
  const aggregator = kept.add(await startAggregatorOn(schema, "--default-schema", ...args));
  const proxy = kept.add(await startProxy(aggregator.publicUrl));
  const site = kept.add(await startPages(pages(proxy.url)));
  const browser = await startBrowser();
  kept.add({ stop: () => browser.close() });

  return {
    origin: site.origin,
    proxy,
    browser,
    ...totalsAt(() => aggregator.metricsUrl),
    /** The bodies that came to a path with POST. */
    sent: (path) => proxy.requests.filter((r) => r.method === "POST" && r.path === path).map(({ body }) => body),
    /** Opens a page, does something there, and leaves it. */
    visit: async (path, act = async () => {}) => {
      const page = await browser.newPage();
      const errors = [];
      page.on("pageerror", (error) => errors.push(error.message));
      await page.goto(site.origin + path, { waitUntil: "load" });
      await act(page);
      await page.goto("about:blank");
      await page.close();
      return errors;
    },
  };
};
