// What a real Chromium reports by itself, over https to a collector on another host: network errors, violations of CSP
// and deprecations, each counted as often as it happened.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { samples, scrape, startAggregator } from "../support/aggregator.mjs";
import { startBrowser } from "../support/browser.mjs";
import { makeCertificate } from "../support/certificate.mjs";
import { freePort, keeper, until } from "../support/processes.mjs";
import { startProxy } from "../support/proxy.mjs";
import { startSite } from "../support/site.mjs";

const N_MISSING = 3;

let metricsUrl;
let collector;
let browser;
let origin;
let deprecated;
const kept = keeper();

before(async () => {
  const certificate = await makeCertificate("site.example", "rum.example");
  // The site must name the collector, and the aggregator the site.
  const sitePort = await freePort();
  origin = `https://site.example:${sitePort}`;
  const aggregator = kept.add(await startAggregator("--origins", origin));
  metricsUrl = aggregator.metricsUrl;
  collector = kept.add(await startProxy(aggregator.publicUrl, certificate));
  const endpoint = `https://rum.example:${collector.port}/reports`;
  kept.add(
    await startSite(
      {
        "Reporting-Endpoints": `default="${endpoint}"`,
        "Content-Security-Policy": `img-src 'self'; report-to default`,
        "Content-Security-Policy-Report-Only": `font-src 'none'; report-to default`,
        "Report-To": JSON.stringify({ group: "nel", max_age: 3600, endpoints: [{ url: endpoint }] }),
        NEL: JSON.stringify({ report_to: "nel", max_age: 3600, success_fraction: 1, failure_fraction: 1 }),
      },
      { certificate, port: sitePort },
    ),
  );
  browser = await startBrowser(
    "--short-reporting-delay",
    "--host-resolver-rules=MAP site.example 127.0.0.1, MAP rum.example 127.0.0.1",
    certificate.flag,
  );
  kept.add({ stop: () => browser.close() });
});
after(kept.stop);

const value = async (series) => samples((await scrape(metricsUrl)).text).get(series) ?? 0;
const untilValue = (series, wanted) =>
  until(`${series} is ${wanted}`, async () => ((await value(series)) === wanted ? true : undefined));

describe("a browser reports", () => {
  before(async () => {
    const page = await browser.newPage();
    await page.goto(origin);
    deprecated = await page.evaluate(async (nMissing) => {
      const seen = [];
      const observer = new ReportingObserver((reports) => seen.push(...reports), { types: ["deprecation"] });
      observer.observe();
      for (let i = 0; i < nMissing; i += 1) await fetch(`/missing?${i}`);
      await fetch("/broken").catch(() => {});
      document.body.append(Object.assign(new Image(), { src: "https://elsewhere.example/a.png?user=42" }));
      await new FontFace("x", "url(/a.woff)").load().catch(() => {});
      const request = new XMLHttpRequest();
      request.open("GET", "/", false);
      request.send();
      await new Promise((resolve) => setTimeout(resolve, 500));
      return [...seen, ...observer.takeRecords()].map((report) => report.body.id);
    }, N_MISSING);
    await page.close();
  });

  test("network errors, by phase and type, with their time", async () => {
    await untilValue('browser_network_errors_total{phase="application",type="http.error"}', N_MISSING);
    // Chromium tries again by itself, and tells of what it gave up in one way or another.
    const broken = /^browser_network_errors_total\{.*type="(?:http\.response\.invalid\.empty|tcp\.(?:closed|reset))"\}$/;
    const sum = async (pattern) => {
      const found = [...samples((await scrape(metricsUrl)).text)].filter(([series]) => pattern.test(series));
      return found.reduce((total, [, n]) => total + n, 0);
    };
    await until("the connection that broke off", async () => ((await sum(broken)) >= 1 ? true : undefined));
    const errors = await sum(/^browser_network_errors_total\{.*type="(?!ok")/);
    assert.equal(await sum(/^browser_network_error_seconds_count/), errors, "each error took a time");
    assert.ok((await value('browser_network_errors_total{phase="application",type="ok"}')) >= 1);
  });

  test("violations of CSP, by directive and disposition", async () => {
    await untilValue('browser_csp_violations_total{directive="img-src",disposition="enforce"}', 1);
    await untilValue('browser_csp_violations_total{directive="font-src",disposition="report"}', 1);
  });

  test("deprecations, by id", async () => {
    assert.ok(deprecated.length > 0, "the page did what is deprecated");
    for (const id of new Set(deprecated)) {
      const n = deprecated.filter((other) => other === id).length;
      await untilValue(`browser_reports_total{type="deprecation",id="${id}"}`, n);
    }
  });

  test("nothing was refused, and each origin asked first", async () => {
    assert.equal(await value('lastmile_requests_refused_total{reason="origin"}'), 0);
    const { text } = await scrape(metricsUrl);
    const refused = [...samples(text)].filter(([series, n]) => series.startsWith("lastmile_refused_total") && n > 0);
    assert.deepEqual(refused, []);
    const statuses = new Set(collector.requests.map(({ method, path, status }) => `${method} ${path} ${status}`));
    assert.deepEqual([...statuses].sort(), ["OPTIONS /reports 204", "POST /reports 204"]);
    // Nothing of the page is in the exposition.
    for (const word of ["example", "127.0.0.1", "Mozilla", "user=42"]) {
      assert.ok(!text.includes(word), `${word} is exposed`);
    }
  });
});
