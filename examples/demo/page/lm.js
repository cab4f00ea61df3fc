// Measures this page and sends it to lastmile as `lm1`. A small script for the demo.
//
//   <script src="lm.js" data-url="/lm" data-every="10"></script>
//
// A batch is one line of JSON. A key of "m" is a series: the name of its family, then its labels in
// alphabetical order. A number is an increment; an array holds observations, each a value or a pair
// [value, how many times]:
//
//   {"lm":1,"id":"…16 characters…","m":{"client_errors_total;kind=js":1,"client_ping_seconds;target=firebase":[0.7,[0.03,2]]}}
//
// A body is one batch or several, a line each. It goes out as text/plain without credentials, which
// every origin accepts without being asked first (no preflight).
window.lm = (() => {
  "use strict";

  const LINES_MAX = 16; // in one body; the server refuses more
  const BODY_BYTES_MAX = 60_000; // a browser lets 64 KiB outlive the page
  const BACK_OFF_MAX_SECS = 300;

  const { url, every = "10" } = document.currentScript.dataset;
  const nowSecs = () => performance.now() / 1000;

  // --- Measuring: the sum of a counter, or how often each value of a histogram was seen ---

  let measured = new Map();

  const escaped = (text) =>
    String(text).replace(/[%;=]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);

  const seriesKey = (family, labels = {}) =>
    [family, ...Object.keys(labels).sort().map((name) => `${name}=${escaped(labels[name])}`)].join(";");

  const increment = (family, labels, by = 1) => {
    const key = seriesKey(family, labels);
    measured.set(key, (measured.get(key) ?? 0) + by);
  };

  const observe = (family, labels, value) => {
    if (!(value >= 0)) return; // a clock that went backwards, or not a number
    const key = seriesKey(family, labels);
    const counts = measured.get(key) ?? new Map();
    const rounded = Number(value.toPrecision(3)); // 0.5 % at most, and equal values share a place
    measured.set(key, counts.set(rounded, (counts.get(rounded) ?? 0) + 1));
  };

  // --- Sending ---

  let waiting = []; // lines not yet accepted; a line is sent again as it is, under its first id
  let failures = 0; // in a row
  let notBefore = 0;

  const randomId = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
  };

  const wireValue = (value) => typeof value === "number"
    ? Number(value.toPrecision(12)) // 0.1 + 0.2 is 0.3 again
    : [...value].map(([seen, times]) => (times > 1 ? [seen, times] : seen));

  const closeBatch = () => {
    countVisibleTime();
    const m = Object.fromEntries([...measured].map(([key, value]) => [key, wireValue(value)]));
    if (measured.size > 0) waiting.push(JSON.stringify({ lm: 1, id: randomId(), m }));
    measured = new Map();
    const bytes = () => new TextEncoder().encode(waiting.join("\n")).length;
    while (waiting.length > LINES_MAX || bytes() > BODY_BYTES_MAX) {
      waiting.shift();
      increment("client_dropped_total", { reason: "overflow" });
    }
  };

  const send = async ({ last = false } = {}) => {
    closeBatch();
    if (waiting.length === 0 || (nowSecs() < notBefore && !last)) return;
    const lines = waiting;
    waiting = []; // what is on its way must not be sent a second time meanwhile
    const body = lines.join("\n");
    let status = 0;
    try {
      status = (await fetch(url, { method: "POST", body, keepalive: true, credentials: "omit" })).status;
    } catch {
      // Not reached, or no answer: the same as a server in trouble.
    }
    const inTrouble = status === 0 || status === 429 || status >= 500;
    if (inTrouble) {
      waiting = [...lines, ...waiting];
      const bound = Math.min(Number(every) * 2 ** failures++, BACK_OFF_MAX_SECS);
      notBefore = nowSecs() + Math.random() * bound;
    } else {
      failures = 0;
      // Any other 4xx is an answer too: asking again would not change it.
      if (status >= 400) increment("client_dropped_total", { reason: "refused" }, lines.length);
    }
    document.dispatchEvent(new CustomEvent("demo:sent", { detail: { url, body, status } }));
  };

  // A little early or late each time, so that ten thousand pages do not send at one moment.
  const loop = () => setTimeout(() => send().finally(loop), every * 1000 * (0.8 + 0.4 * Math.random()));
  loop();

  // --- What every page measures ---

  let visibleSince = document.visibilityState === "visible" ? nowSecs() : undefined;
  const countVisibleTime = () => {
    // NaN while hidden. Longer than two intervals, and the machine slept with the page in view.
    const seconds = Math.min(nowSecs() - visibleSince, 2 * every);
    if (seconds > 0) increment("client_user_seconds_total", {}, Math.round(seconds * 1000) / 1000);
    visibleSince = document.visibilityState === "visible" ? nowSecs() : undefined;
  };

  let isLoadCounted = false;
  const pageLoaded = () => {
    if (isLoadCounted) return;
    isLoadCounted = true;
    const navigation = performance.getEntriesByType("navigation")[0];
    increment("client_page_loads_total", { type: navigation.type });
    for (const phase of ["responseStart", "domInteractive", "domComplete", "loadEventEnd"]) {
      // 0: it did not happen.
      if (navigation[phase] > 0) observe("client_navigation_seconds", { phase }, navigation[phase] / 1000);
    }
  };
  addEventListener("load", () => setTimeout(pageLoaded)); // later, when loadEventEnd is known
  addEventListener("pageshow", (event) => {
    if (event.persisted) increment("client_page_loads_total", { type: "bfcache" });
  });
  addEventListener("error", () => increment("client_errors_total", { kind: "js" }));
  addEventListener("unhandledrejection", () => increment("client_errors_total", { kind: "rejection" }));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") send({ last: true });
    else countVisibleTime();
  });
  addEventListener("pagehide", () => {
    pageLoaded(); // who leaves at once was here all the same
    send({ last: true });
  });

  // How long another server takes to answer, or why it does not. Gives the seconds, if it answered.
  const ping = async (target, pingUrl, timeoutSecs = 10) => {
    const began = nowSecs();
    const signal = AbortSignal.timeout(timeoutSecs * 1000);
    try {
      await fetch(pingUrl, { mode: "no-cors", cache: "no-store", credentials: "omit", signal });
    } catch (error) {
      const reason = error.name === "TimeoutError" ? "timeout" : "error";
      increment("client_ping_failures_total", { target, reason });
      return undefined;
    }
    const seconds = nowSecs() - began;
    observe("client_ping_seconds", { target }, seconds);
    return seconds;
  };

  return { increment, observe, ping, send };
})();
