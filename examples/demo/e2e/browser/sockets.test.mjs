// Batches of lm1 over a WebSocket, from pages in a real Chromium.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { samples, scrape, startAggregator } from "../support/aggregator.mjs";
import { openPage, startBrowser } from "../support/browser.mjs";
import { keeper, until } from "../support/processes.mjs";
import { startSite } from "../support/site.mjs";

const LOADS = 'client_page_loads_total{type="navigate"}';
const N = 200;

let aggregator;
let site;
let browser;
let opened;
const kept = keeper();

before(async () => {
  site = kept.add(await startSite());
  aggregator = kept.add(await startAggregator("--origins", site.origin));
  browser = await startBrowser();
  kept.add({ stop: () => browser.close() });
  opened = await openPage(browser, site.origin);
});
after(kept.stop);

const value = async (series) => samples((await scrape(aggregator.metricsUrl)).text).get(series);
const url = () => `${aggregator.publicUrl.replace("http:", "ws:")}/lm/ws`;

/** Opens a socket in the page, as `window.socket`, with what it got: `window.acks`, and the close's code. */
const open = (page) =>
  page.evaluate(
    (url) =>
      new Promise((resolve) => {
        window.acks = [];
        window.socket = new WebSocket(url);
        window.whenClosed = new Promise((done) => {
          window.socket.onclose = ({ code, wasClean }) => {
            resolve("closed");
            done({ code, wasClean });
          };
        });
        window.socket.onmessage = ({ data }) => window.acks.push(JSON.parse(data));
        window.socket.onopen = () => resolve("open");
      }),
    url(),
  );

/** Sends a batch for each id, several to a message, and waits until all are acknowledged. */
const send = (page, ids) =>
  page.evaluate(async (ids) => {
    window.acks.length = 0;
    const line = (id) => JSON.stringify({ lm: 1, id, m: { "client_page_loads_total;type=navigate": 1 } });
    for (let i = 0; i < ids.length; i += 4) window.socket.send(ids.slice(i, i + 4).map(line).join("\n"));
    const acked = () => window.acks.flatMap(({ ack }) => ack);
    while (acked().length < ids.length) await new Promise((resolve) => setTimeout(resolve, 10));
    return window.acks;
  }, ids);

const ids = Array.from({ length: N }, (_, i) => `batch-of-a-page-${i}`);

test("each batch is acknowledged by its id, and counted once", async () => {
  assert.equal(await open(opened.page), "open");
  const answers = await send(opened.page, ids);
  assert.deepEqual(answers.flatMap(({ ack }) => ack), ids);
  assert.equal(answers.length, N / 4, "an answer to each message");
  assert.equal(await value(LOADS), N);
  assert.deepEqual((await send(opened.page, ids)).flatMap(({ ack }) => ack), ids);
  assert.equal(await value(LOADS), N, "a batch that is sent again is acknowledged again");
  assert.equal(await value('lastmile_duplicate_batches_total{format="lm1"}'), N);
});

test("a page that closes is answered", async () => {
  const closed = await opened.page.evaluate(() => {
    window.socket.close(1000);
    return window.whenClosed;
  });
  assert.deepEqual(closed, { code: 1000, wasClean: true });
});

test("a page of another origin has no socket", async () => {
  const other = kept.add(await startSite());
  const { page } = await openPage(browser, other.origin);
  assert.equal(await open(page), "closed");
  assert.equal((await page.evaluate(() => window.whenClosed)).code, 1006);
  assert.equal(await value('lastmile_requests_refused_total{reason="origin"}'), 1);
});

test("a stop closes the sockets in good order, with all of it counted", async () => {
  assert.equal(await open(opened.page), "open");
  const more = ids.slice(0, 40).map((id) => `${id}-more`);
  assert.deepEqual((await send(opened.page, more)).flatMap(({ ack }) => ack), more);
  assert.equal(await value(LOADS), N + more.length);
  const [status, closed] = await Promise.all([
    aggregator.stop(),
    until("the page is told", () => opened.page.evaluate(() => window.whenClosed)),
  ]);
  assert.equal(status, 0);
  assert.deepEqual(closed, { code: 1001, wasClean: true });
});
