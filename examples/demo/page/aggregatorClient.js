// Speaks the protocol of prometheus-user-metrics, so that a page written for it works unchanged:
//
//   prometheusAggregator("increment", "usage_total", { feature: "showContent" }, 1);
//   prometheusAggregator("observe", "firebase_response_time", { firebaseHost: "…" }, 0.031);
//
// The page's snippet made a stub that queues calls; this script takes its place, sums the calls up,
// and posts them to ROOT/record as a JSON array every 10 seconds. An empty array is sent too: it
// says that this page is open. A request that fails is lost, because nothing in this protocol would
// let the server tell a second attempt from a second event. (`lm1` has ids for that, and the script at /static/ uses them.)
(() => {
  "use strict";

  const globalName = window.PrometheusAggregatorObjectName;
  const stub = window[globalName];
  const url = `${stub.aggregatorServerRoot}/record`;
  const everySecs = stub.everySecs ?? 10;

  let entries = new Map(); // one for each series: the object that will be sent

  const entry = (metricType, metricName, labels, start) => {
    const key = JSON.stringify([metricType, metricName, Object.entries(labels).sort()]);
    if (!entries.has(key)) entries.set(key, { metricName, metricType, labels, ...start });
    return entries.get(key);
  };

  const calls = {
    increment(name, labels, by) {
      entry("counter", name, labels, { inc: 0 }).inc += by;
    },
    observe(name, labels, value) {
      entry("histogram", name, labels, { observations: [] }).observations.push(value);
    },
  };

  const aggregator = (call, name, labels, value) => {
    if (Object.hasOwn(calls, call)) calls[call](name, labels ?? {}, value);
    else console.warn(`${globalName}: there is no "${call}"`);
  };

  const send = async () => {
    const body = JSON.stringify([...entries.values()]);
    entries = new Map();
    let status = 0;
    try {
      // "application/json" makes a browser ask another origin first (a preflight), as it always did.
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(url, { method: "POST", headers, body, keepalive: true });
      status = answer.status;
    } catch {
      // Lost: see above.
    }
    document.dispatchEvent(new CustomEvent("demo:sent", { detail: { url, body, status } }));
  };

  // Navigation timing, one histogram for each moment, in seconds since the navigation began. It is
  // read after the load event, or the last moments would still be 0.
  const observeTiming = () => {
    const { navigationStart } = performance.timing;
    for (const [moment, at] of Object.entries(performance.timing.toJSON())) {
      if (typeof at !== "number" || at < navigationStart) continue; // 0: it did not happen
      calls.observe(`performance_timing_${moment}`, {}, (at - navigationStart) / 1000);
    }
  };
  const afterLoad = () => setTimeout(observeTiming);
  if (document.readyState === "complete") afterLoad();
  else addEventListener("load", afterLoad);

  setInterval(send, everySecs * 1000);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden" && entries.size > 0) send();
  });

  window[globalName] = aggregator;
  for (const args of stub.q ?? []) aggregator(...args);
})();
