// Images that count: a page without scripts, and what browsers fetch ahead of time.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { samples, scrape, startAggregator, startAggregatorOn } from "../support/aggregator.mjs";
import { openPage, startBrowser } from "../support/browser.mjs";
import { keeper, until } from "../support/processes.mjs";
import { startSite } from "../support/site.mjs";

const SCHEMA = `
[[family]]
name = "opens_total"
type = "counter"
labels = [{ name = "app", values = ["student"] }]
`;
const SERIES = 'opens_total{app="student"}';

let site;
let quiet;
let aggregator;
let browser;
const kept = keeper();
before(async () => {
  site = kept.add(await startSite());
  quiet = kept.add(await startSite({ "Referrer-Policy": "no-referrer" }));
  aggregator = kept.add(await startAggregatorOn(SCHEMA, "--origins", site.origin, "--origins", quiet.origin));
  browser = await startBrowser();
  kept.add({ stop: () => browser.close() });
});
after(kept.stop);

const value = async (series) => samples((await scrape(aggregator.metricsUrl)).text).get(series);
const REFUSED = 'lastmile_requests_refused_total{reason="origin"}';

/** Shows the image in a page: its width there. */
const show = (page, i) =>
  page.evaluate(([src]) => new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(image.naturalWidth);
    image.onerror = () => resolve("no image");
    image.src = src;
    document.body.append(image);
  }), [`${aggregator.publicUrl}/lm.gif?m=opens_total;app=student&i=${i}`]);

describe("a hit", () => {
  test("counts each time that a listed page shows the image", async () => {
    const { page } = await openPage(browser, site.origin);
    // Of the same address, which nobody keeps: a page that is loaded again asks again.
    for (let i = 0; i < 3; i++) {
      await page.reload();
      assert.equal(await show(page, 0), 1);
    }
    assert.equal(await value(SERIES), 3);
    await page.close();
  });

  test("does not count without a Referer, and shows the image all the same", async () => {
    const [before, refused] = [await value(SERIES), await value(REFUSED)];
    const { page } = await openPage(browser, quiet.origin);
    assert.equal(await show(page, 1), 1);
    assert.equal(await value(SERIES), before);
    assert.equal(await value(REFUSED), refused + 1);
    await page.close();
  });

  test("does not count what is fetched ahead of time", async () => {
    const [before, refused] = [await value(SERIES), await value(REFUSED)];
    const { page } = await openPage(browser, site.origin);
    const answers = [];
    page.on("response", (answer) => answers.push(answer));
    await page.evaluate(([href]) => new Promise((resolve) => {
      const link = document.createElement("link");
      Object.assign(link, { rel: "prefetch", href, onload: resolve, onerror: resolve });
      document.head.append(link);
    }), [`${aggregator.publicUrl}/lm.gif?m=opens_total;app=student&i=ahead`]);
    await until("it was fetched", async () => (answers.length > 0 ? true : undefined));
    assert.equal(answers[0].status(), 200);
    assert.equal(await value(SERIES), before);
    assert.equal(await value(REFUSED), refused, "its page may count");
    await page.close();
  });
});

test("without a list no hit counts", async () => {
  const open = kept.add(await startAggregator());
  const url = `${open.publicUrl}/lm.gif?m=client_soft_navigations_total`;
  const answer = await fetch(url, { headers: { Referer: `${site.origin}/` } });
  assert.equal(answer.headers.get("content-type"), "image/gif");
  const text = (await scrape(open.metricsUrl)).text;
  assert.equal(samples(text).get("client_soft_navigations_total"), 0);
  assert.equal(samples(text).get(REFUSED), 1);
});
