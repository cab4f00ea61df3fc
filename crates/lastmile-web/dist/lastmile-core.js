// lastmile-core.js
// Takes the place of prometheus-user-metrics' client. The page's snippet made a stub that queues calls of
//   prometheusAggregator("increment" | "observe", name, labels, value)
// This sums them up and posts a batch to ROOT/lm every 10 seconds, and when the page is hidden or left. A batch is one
// line of lm1 with an id of its own: it is sent again as it is until somebody has taken it, and counts once.
(function () {
  "use strict";

  var EVERY_SECS = 10;
  var LINES_MAX = 8; // that wait; the server takes 16 in one body
  var BYTES_MAX = 60000; // a browser lets 64 KiB outlive the page
  var AGE_MAX_SECS = 300; // the server knows an id for 10 minutes
  var VALUES_MAX = 500; // in one batch
  var COUNT_MAX = 10000; // of one value in one batch

  var globalName = window.PrometheusAggregatorObjectName || "prometheusAggregator";
  var stub = window[globalName] || {};
  if (stub.isLastmile) return; // the snippet stands in the page twice
  var url = (stub.aggregatorServerRoot || "") + "/lm";
  var everySecs = stub.everySecs || EVERY_SECS;

  // --- Measuring: of a series the sum of its increments, or how often each value was observed ---

  var series = {};
  var nValues = 0;

  function escaped(text) {
    return String(text).replace(/[%;=]/g, function (c) { return "%" + c.charCodeAt(0).toString(16); });
  }

  function seriesKey(name, labels) {
    return Object.keys(labels || {}).sort().reduce(function (key, label) {
      return key + ";" + escaped(label) + "=" + escaped(labels[label]);
    }, escaped(name));
  }

  function isNumber(value) {
    if (typeof value === "number" && isFinite(value)) return true;
    console.warn(globalName + ": " + value + " is no number");
    return false;
  }

  function increment(name, labels, by) {
    by = by === undefined ? 1 : by;
    if (!isNumber(by)) return;
    var key = "c" + seriesKey(name, labels);
    if (!(key in series)) nValues += 1;
    series[key] = (series[key] || 0) + by;
    if (nValues >= VALUES_MAX) closeBatch();
  }

  function observe(name, labels, value) {
    if (!isNumber(value)) return;
    var key = "h" + seriesKey(name, labels);
    var counts = series[key] || (series[key] = {});
    if (!(value in counts)) nValues += 1;
    counts[value] = (counts[value] || 0) + 1;
    if (nValues >= VALUES_MAX || counts[value] >= COUNT_MAX) closeBatch();
  }

  // --- Sending ---

  var waiting = []; // { line, sentAt }, the oldest first
  var failures = 0; // in a row
  var notBefore = 0;
  var sending = 0;

  function nowSecs() { return performance.now() / 1000; }

  // Since a batch was first sent, as one that no server can know may be of any age. A page's clock may stand still while
  // its computer sleeps, and a wall clock may be set, so the one that says more is believed. A wall clock that is set
  // forward looks like sleep: what was sent and not answered is given up, and what still waits to be sent is not. One
  // that is set back leaves the other; only with sleep besides is a batch taken for younger than it is.
  function ageSecs(batch) {
    var at = batch.sentAt;
    return at ? Math.max(performance.now() - at.page, Date.now() - at.wall) / 1000 : 0;
  }

  function randomId() {
    var bytes = crypto.getRandomValues(new Uint8Array(12));
    return btoa(String.fromCharCode.apply(null, bytes)).replace(/\+/g, "-").replace(/\//g, "_");
  }

  function wireValue(value) {
    if (typeof value === "number") return Number(value.toPrecision(15)); // 0.1 + 0.2 is 0.3 again
    return Object.keys(value).map(function (seen) {
      return value[seen] > 1 ? [Number(seen), value[seen]] : Number(seen);
    });
  }

  function closeBatch() {
    var m = {};
    var keys = Object.keys(series);
    keys.forEach(function (key) { m[key.slice(1)] = wireValue(series[key]); });
    series = {};
    nValues = 0;
    if (keys.length) {
      waiting.push({ line: JSON.stringify({ lm: 1, id: randomId(), m: m }), sentAt: null });
    }
    var isTooMuch = function () {
      var bytes = new TextEncoder().encode(waiting.map(function (w) { return w.line; }).join("\n")).length;
      return waiting.length > LINES_MAX || bytes > BYTES_MAX || ageSecs(waiting[0]) > AGE_MAX_SECS;
    };
    while (waiting.length && isTooMuch()) waiting.shift();
  }

  // A page that goes sends what is under way once more: nobody will know what became of it, and it counts once.
  function send(isLast) {
    closeBatch();
    if (!waiting.length || (!isLast && (sending || nowSecs() < notBefore))) return;
    var sent = waiting.slice();
    var now = { page: performance.now(), wall: Date.now() };
    sent.forEach(function (w) { w.sentAt = w.sentAt || now; });
    var body = sent.map(function (w) { return w.line; }).join("\n");
    sending += 1;
    // Text, and no credentials: no preflight. An answer that says nothing else is an answer that it was taken.
    fetch(url, { method: "POST", body: body, keepalive: true, credentials: "omit" }).then(function (answer) {
      if (answer.status === 429 || answer.status >= 500) {
        return retryIn(Number(answer.headers.get("Retry-After")));
      }
      failures = 0;
      waiting = waiting.filter(function (w) { return sent.indexOf(w) < 0; });
    }, function () { retryIn(0); }).then(function () { sending -= 1; });
  }

  function retryIn(secs) {
    var bound = Math.min(everySecs * Math.pow(2, failures++), AGE_MAX_SECS);
    notBefore = nowSecs() + (secs > 0 ? secs : Math.random() * bound);
  }

  // A little early or late each time, so that ten thousand pages do not send at one moment.
  (function loop() {
    setTimeout(function () { send(); loop(); }, everySecs * 1000 * (0.8 + 0.4 * Math.random()));
  })();
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "hidden") send(true);
  });
  addEventListener("pagehide", function () { send(true); });

  // --- As the script before: each moment of the page's load, in seconds since it began, after it has ended ---

  function observeTiming() {
    var timing = performance.timing;
    for (var moment in timing) {
      var at = timing[moment];
      if (typeof at === "number" && at >= timing.navigationStart) { // 0: it did not happen
        observe("performance_timing_" + moment, {}, (at - timing.navigationStart) / 1000);
      }
    }
  }
  function afterLoad() { setTimeout(observeTiming); }
  if (document.readyState === "complete") afterLoad();
  else addEventListener("load", afterLoad);

  function aggregator(call, name, labels, value) {
    if (call === "increment") increment(name, labels, value);
    else if (call === "observe") observe(name, labels, value);
    else console.warn(globalName + ': there is no "' + call + '"');
  }
  aggregator.isLastmile = true;
  window[globalName] = aggregator;
  (stub.q || []).forEach(function (args) { aggregator.apply(null, args); });
})();
