// lastmile.js in a real Firefox: what pages count is what the aggregator has, however they are left.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { samples, scrape, startAggregatorOn } from "../support/aggregator.mjs";
import { startFirefox } from "../support/firefox.mjs";
import { keeper, until } from "../support/processes.mjs";
import { startProxy } from "../support/proxy.mjs";
import { serving, tag } from "../support/scripts.mjs";

const SCHEMA = `
[[family]]
name = "clicks_total"
type = "counter"
labels = [{ name = "of", max_values = 10 }]
`;

let browser;
let proxy;
let all;
const kept = keeper();
before(async () => {
  const aggregator = kept.add(await startAggregatorOn(SCHEMA, "--default-schema"));
  proxy = kept.add(await startProxy(aggregator.publicUrl, undefined, serving({ "/": `<h1>A page</h1>${tag()}` })));
  browser = await startFirefox();
  kept.add({ stop: () => browser.close() });
  all = async () => samples((await scrape(aggregator.metricsUrl)).text);
});
after(kept.stop);

const open = async () => {
  const page = await browser.newPage();
  await page.goto(`${proxy.url}/`, { waitUntil: "load" });
  return page;
};

const untilClicks = async (of, wanted) => {
  const series = `clicks_total{of="${of}"}`;
  await until(`${series} is ${wanted}`, async () => ((await all()).get(series) === wanted ? true : undefined));
};

/** Clicks three times in a page, one of them as it is left in this way. */
const check = async (of, leave) => {
  const page = await open();
  const click = (n) => page.evaluate(([n, of]) => {
    for (let i = 0; i < n; i++) window.lastmile("increment", "clicks_total", { of });
  }, [n, of]);
  await click(2);
  await untilClicks(of, 2);
  await click(1);
  await leave(page);
  await untilClicks(of, 3);
};

describe("lastmile.js in Firefox", () => {
  for (const [of, leave] of [
    ["stays", () => undefined],
    ["goes elsewhere", (page) => page.goto("about:blank")],
    ["is closed", (page) => page.close()],
    ["is loaded again", (page) => page.reload()],
  ]) {
    test(`a page that ${of}`, () => check(of, leave));
  }

  test("what an answer was lost of comes again, and counts once", async () => {
    await check("lost", async (page) => {
      const before = (await all()).get("lastmile_duplicate_batches_total{format=\"lm1\"}") ?? 0;
      proxy.loseNextAnswer();
      await page.evaluate(() => window.lastmile("flush"));
      await until("it came again", async () =>
        ((await all()).get("lastmile_duplicate_batches_total{format=\"lm1\"}") > before ? true : undefined));
    });
  });

  test("a page's load and its vitals are those of Firefox, and nothing was refused", async () => {
    const found = await all();
    // Five pages, one of them twice, of which the last may still be open.
    assert.equal(found.get('client_page_loads_total{type="navigate"}'), 5);
    await until("the reload is counted", async () =>
      ((await all()).get('client_page_loads_total{type="reload"}') === 1 ? true : undefined));
    const painted = [...found].filter(([series]) => series.startsWith('client_web_vital_seconds_count{name="FCP"'));
    assert.ok(painted.reduce((sum, [, n]) => sum + n, 0) >= 2, "a page that is left at once may not be painted");
    const refused = [...found].filter(([series, n]) => series.startsWith("lastmile_refused_total") && n > 0);
    assert.deepEqual(refused, []);
  });
});
