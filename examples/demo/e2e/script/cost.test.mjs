// What the script costs a page: CPU time of the thread on which the page does all else, by the browser's own trace.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startOrdinary } from "../support/browser.mjs";
import { keeper } from "../support/processes.mjs";
import { startMeasured, tag } from "../support/scripts.mjs";

const N_LOADS = 5;
const N_FLUSHES = 10;
const N_SERIES = 20;
/** Functions that are compiled while the page waits: the script's first line asks for the others before. There were 74. */
const N_COMPILED_MAX = 8;

let browser;
const kept = keeper();
before(async () => {
  ({ browser } = kept.add(await startOrdinary()));
});
after(kept.stop);

/** All that the browser noted of scripts meanwhile. */
const traced = async (act) => {
  const session = await browser.newBrowserCDPSession();
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const includedCategories = ["devtools.timeline", "v8", "disabled-by-default-v8.compile"];
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories } });
  await act();
  const isComplete = new Promise((resolve) => { session.once("Tracing.tracingComplete", resolve); });
  await session.send("Tracing.end");
  await isComplete;
  return events.filter(({ ph }) => ph === "X");
};

/** Flushes what was counted of so many series, and beside it makes the least request that a flush has to make. */
const flushAgain = async ([nFlushes, nSeries]) => {
  const soon = (act) => new Promise((resolve) => {
    setTimeout(() => setTimeout(act));
    setTimeout(resolve, 60);
  });
  for (let i = 0; i < nFlushes; i++) {
    for (let n = 0; n < nSeries; n++) window.lastmile("increment", "clicks_total", { of: `series ${n}` });
    await soon(function flushOnce() { window.lastmile("flush"); });
    await soon(function requestOnce() {
      fetch("/nowhere", { method: "POST", body: "x".repeat(600), keepalive: true, credentials: "omit" });
    });
  }
};

/** A browser makes what stands for an element or itself as a script first asks for it, and the page's own script did. */
const OWN = "<script>document.currentScript.dataset; navigator.language;</script>";

test("loading and flushing keep a page busy for a moment", async (t) => {
  const it = await startMeasured(kept, browser, { pages: { "/": `<p>A page${OWN}${tag()}` } });
  const events = await traced(async () => {
    for (let i = 0; i < N_LOADS; i++) {
      const page = await it.open();
      await page.evaluate(flushAgain, [N_FLUSHES, N_SERIES]);
      it.clicked(N_FLUSHES * N_SERIES);
      await page.goto("about:blank");
    }
  });
  await it.check();

  const millis = (wanted) => wanted.map(({ tdur = 0 }) => tdur / 1e3);
  const called = (name) => events.filter(({ args }) => args.data?.functionName === name).sort((a, b) => a.ts - b.ts);
  const loads = events.filter(({ name, args }) => name === "EvaluateScript" && args.data?.url?.endsWith("/lastmile.js"));
  const flushes = called("flushOnce");
  const requests = called("requestOnce");
  assert.equal(loads.length, N_LOADS);
  assert.equal(flushes.length, N_LOADS * N_FLUSHES);
  assert.equal(requests.length, N_LOADS * N_FLUSHES);
  const say = (what, of) => {
    const sorted = [...of].sort((a, b) => a - b);
    t.diagnostic(`${what}: median ${sorted[Math.floor(sorted.length / 2)].toFixed(2)} ms, ${sorted[0].toFixed(2)} to ${sorted.at(-1).toFixed(2)}`);
  };
  const [whole, alone] = [millis(flushes), millis(requests)];
  say("load", millis(loads));
  say(`flush of ${N_SERIES} series`, whole);
  say("the request alone", alone);
  // Each with the request right after it, which met the same machine. A page's first pays for what the second finds.
  const own = whole.map((ms, i) => ms - alone[i]);
  say("a page's first flush without it", own.filter((_, i) => i % N_FLUSHES === 0));
  say("a later flush without it", own.filter((_, i) => i % N_FLUSHES !== 0));

  const compiled = loads.map(({ pid, tid, ts, dur }) =>
    events.filter((e) => e.name === "V8.CompileCode" && e.pid === pid && e.tid === tid && e.ts >= ts && e.ts < ts + dur).length);
  assert.ok(compiled.every((n) => n <= N_COMPILED_MAX), `functions compiled as it loads: ${compiled}`);
});
