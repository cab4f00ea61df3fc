/*! lastmile 0.1.0, MIT OR Apache-2.0; web-vitals 5.3.0, Copyright Google LLC, Apache-2.0 */
var __defProp = Object.defineProperty;
var __defNormalProp = (obj, key, value) => key in obj ? __defProp(obj, key, { enumerable: true, configurable: true, writable: true, value }) : obj[key] = value;
var __publicField = (obj, key, value) => __defNormalProp(obj, typeof key !== "symbol" ? key + "" : key, value);

// client/observers.ts
var Native = globalThis.PerformanceObserver;
var all = [];
var PerformanceObserver = Native && class extends Native {
  constructor(then) {
    super(then);
    all.push(this);
  }
};
var disconnectAll = () => {
  all.forEach((observer) => observer.disconnect());
  all = [];
};

// client/collect/errors.ts
var errors = (to) => {
  const count = (kind) => to.increment("client_errors_total", { kind });
  to.listen(self, "error", ({ target }) => {
    const { tagName } = target || {};
    count(tagName ? "resource_" + tagName.toLowerCase() : "js");
  }, true);
  to.listen(self, "unhandledrejection", () => count("rejection"));
};

// client/seen.ts
var isSeen = () => typeof document == "object" && document.visibilityState == "visible";

// client/collect/loaded.ts
var onceLoaded = (to, then) => {
  const soon = () => {
    const timer = setTimeout(then);
    to.on("stop", () => clearTimeout(timer));
  };
  document.readyState == "complete" ? soon() : to.listen(self, "load", soon);
};

// client/collect/page.ts
var navigation = () => performance.getEntriesByType("navigation")[0];
var isBackground = () => {
  if (navigation()?.activationStart) return false;
  const [first] = performance.getEntriesByType("visibility-state");
  return (first ? first.name : document.visibilityState) == "hidden";
};
var isCounted = false;
var isTimed = false;
var loads = (to) => {
  const count = (type) => to.increment("client_page_loads_total", { type });
  if (!isCounted) count(navigation()?.activationStart ? "prerender" : isBackground() ? "background" : navigation()?.type || "navigate");
  isCounted = true;
  to.on("restored", () => count("bfcache"));
};
var PHASES = [
  "fetchStart",
  "domainLookupEnd",
  "connectEnd",
  "requestStart",
  "responseStart",
  "responseEnd",
  "domInteractive",
  "domContentLoadedEventEnd",
  "domComplete",
  "loadEventEnd"
];
var timing = (to) => {
  const observe3 = () => {
    const entry = navigation();
    if (isTimed || !entry || isBackground()) return;
    isTimed = true;
    PHASES.forEach(
      (phase) => to.observe("client_navigation_seconds", { phase }, Math.max(entry[phase] - (entry.activationStart || 0), 0) / 1e3)
    );
  };
  onceLoaded(to, observe3);
};
var GAP_MS_MAX = 3e4;
var users = (to, { every = 0 }) => {
  let wasSeen = false;
  let page2 = 0;
  let wall = 0;
  const look = () => {
    const ms = performance.now() - page2;
    const wallMs = Date.now() - wall;
    page2 += ms;
    wall += wallMs;
    const secs = Math.round(Math.min(ms, every * 2e3)) / 1e3;
    if (wasSeen && secs && ms <= GAP_MS_MAX && wallMs <= GAP_MS_MAX) to.increment("client_user_seconds_total", null, secs);
    wasSeen = isSeen();
  };
  look();
  to.on("beat", look);
  to.on("leave", look);
  to.on("back", () => {
    wasSeen = false;
    look();
  });
};

// client/collect/core.ts
var collectors = () => ({
  errors,
  ...typeof document == "object" && { loads, navigation: timing, users }
});

// client/measured.ts
var COUNT_MAX = 1e4;
var CHARS_MAX = 1e3;
var nothing = () => ({ sums: /* @__PURE__ */ new Map(), counts: /* @__PURE__ */ new Map(), bytes: 0 });
var escaped = (text) => String(text).slice(0, CHARS_MAX).split("%").join("%25").split(";").join("%3b").split("=").join("%3d");
var seriesKey = (name, labels) => {
  const key = escaped(name);
  if (!labels) return key;
  return [key, ...Object.keys(labels).sort().map((label) => escaped(label) + "=" + escaped(labels[label]))].join(";");
};
var increment = (to, key, by) => {
  const sum = to.sums.get(key);
  if (sum === void 0) to.bytes += key.length + 12;
  to.sums.set(key, (sum || 0) + by);
};
var observe = (to, key, value, times = 1) => {
  const rounded = Number(value.toPrecision(3));
  let seen = to.counts.get(key);
  if (!seen) {
    to.counts.set(key, seen = /* @__PURE__ */ new Map());
    to.bytes += key.length + 8;
  }
  if (!seen.has(rounded)) to.bytes += 10;
  seen.set(rounded, (seen.get(rounded) || 0) + times);
};
var addAll = (to, from) => {
  from.sums.forEach((sum, key) => increment(to, key, sum));
  from.counts.forEach((seen, key) => seen.forEach((times, value) => observe(to, key, value, times)));
};
var observations = (seen) => {
  const written = [];
  seen.forEach((times, value) => {
    for (; times > COUNT_MAX; times -= COUNT_MAX) written.push(`[${value},${COUNT_MAX}]`);
    written.push(times > 1 ? `[${value},${times}]` : `${value}`);
  });
  return written.join();
};
var ID_CHARS = 16;
var drawn = "";
var randomId = () => {
  drawn || (drawn = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(192)))).replace(/\+/g, "-").replace(/\//g, "_"));
  const id = drawn.slice(0, ID_CHARS);
  drawn = drawn.slice(ID_CHARS);
  return id;
};
var line = (measured, weight) => {
  const members = [];
  measured.sums.forEach((sum, key) => members.push(JSON.stringify(key) + ":" + (sum % 1 ? Number(sum.toPrecision(15)) : sum)));
  measured.counts.forEach((seen, key) => members.push(JSON.stringify(key) + ":[" + observations(seen) + "]"));
  return `{"lm":1,"id":"${randomId()}",${weight > 1 ? `"w":${weight},` : ""}"m":{${members.join()}}}`;
};

// client/transport.ts
var TIMEOUT_MS = 3e4;
var isJson = (type) => /json/.test(type || "");
var trusted = (status, isElsewhere) => isElsewhere && status >= 400 ? 0 : status;
var canOutlive = () => typeof Request == "function" && "keepalive" in Request.prototype;
var hand = async (url, body, isLast, onUpload) => {
  const beacon = () => {
    const isTaken = isLast && navigator.sendBeacon && navigator.sendBeacon(url, body);
    if (isTaken) onUpload();
    return isTaken ? void 0 : { status: 0, isUnsent: true };
  };
  if (isLast && !canOutlive()) return beacon();
  try {
    const answer = fetch(url, {
      method: "POST",
      body,
      keepalive: true,
      credentials: "omit",
      priority: "low",
      // A page that goes cannot wait, and the request goes on without it; but it may come back.
      signal: AbortSignal.timeout?.(TIMEOUT_MS)
    });
    onUpload();
    return answer.then(
      ({ status, redirected, headers }) => ({ status: trusted(status, redirected), isJson: isJson(headers.get("content-type")), retryAfter: headers.get("retry-after") }),
      () => ({ status: 0 })
    );
  } catch {
    return beacon();
  }
};
var handWatched = (url, body, _, onUpload) => new Promise((resolve) => {
  const request = new XMLHttpRequest();
  const asked = new Request(url).url;
  let isUnsent = true;
  const uploaded = ({ loaded }) => {
    if (loaded) onUpload(), isUnsent = false;
  };
  request.upload.onprogress = request.upload.onload = uploaded;
  request.onloadend = () => {
    const { status, responseURL } = request;
    const header = (name) => status ? request.getResponseHeader(name) : null;
    if (status) uploaded({ loaded: 1 });
    resolve({ status: trusted(status, responseURL != asked), isUnsent, isJson: isJson(header("content-type")), retryAfter: header("retry-after") });
  };
  request.open("POST", url);
  request.setRequestHeader("Content-Type", "text/plain;charset=UTF-8");
  request.timeout = TIMEOUT_MS;
  request.send(body);
});

// client/delivery.ts
var LINES_MAX = 16;
var BATCH_BYTES_MAX = 8e3;
var WAITING_BYTES_MAX = 28e3;
var FLYING_BYTES_MAX = 6e4;
var AGE_MAX_MS = 3e5;
var BACK_OFF_MAX_MS = 12e4;
var DROPPED = "client_dropped_total;reason=";
var REFUSALS = [400, 401, 403, 404, 413, 415];
var moment = () => ({ page: performance.now(), wall: Date.now() });
var isOld = ({ at }) => {
  if (!at) return false;
  const now = moment();
  return Math.max(now.page - at.page, now.wall - at.wall) > AGE_MAX_MS;
};
var total = (lines) => lines.reduce((sum, { bytes }) => sum + bytes, 0);
var bodyOf = (lines) => lines.map(({ text }) => text).join("\n");
var retryMs = (header) => {
  const ms = header ? (Number(header) || (Date.parse(header) - Date.now()) / 1e3) * 1e3 : NaN;
  return Math.min(Math.max(ms, 1e3), 6e5);
};
var bytesOf = (text) => (/[^\0-\x7f]/.test(text) ? new TextEncoder().encode(text) : text).length;
var delivery = (urls, everyMs, weight, measured, write = line) => {
  const shard = "s=" + Math.floor(Math.random() * 256);
  const address = (to) => urls[to] + (urls[to].includes("?") ? "&" : "?") + shard;
  let lines = [];
  let armed;
  let current = 0;
  let unreached = 0;
  let flying = 0;
  let sending = 0;
  let failures = 0;
  let notBefore = 0;
  let isStopped = false;
  const forget = (gone, reason) => {
    const given = reason ? lines.filter((line2) => gone.includes(line2)) : [];
    lines = lines.filter((line2) => !gone.includes(line2));
    given.forEach(({ dropped }) => {
      [...dropped, [DROPPED + reason, 1]].forEach(([key, n]) => increment(measured, key, n));
    });
  };
  const trim = () => {
    forget(lines.filter((line2) => !line2.copies && isOld(line2)), "expired");
    let from = 0;
    while (total(lines.slice(from)) > WAITING_BYTES_MAX) from++;
    forget(lines.slice(0, from), "overflow");
  };
  const lineOf = (from) => {
    if (!from.sums.size && !from.counts.size) return;
    const text = write(from, weight);
    const dropped = [];
    from.sums.forEach((n, key) => key.startsWith(DROPPED) && dropped.push([key, n]));
    return { text, bytes: bytesOf(text) + 1, copies: 0, dropped };
  };
  const close = () => {
    disarm();
    const closed = lineOf(measured);
    if (closed) {
      lines.push(closed);
      measured = nothing();
    }
    trim();
  };
  const mayBeThere = (batch, at, to) => batch.forEach((line2) => {
    line2.at || (line2.at = at);
    line2.to ?? (line2.to = to);
  });
  const post = (batch, to, isLast) => {
    const at = moment();
    const bytes = total(batch);
    flying += bytes;
    batch.forEach((line2) => {
      line2.copies++;
      line2.via = to;
      line2.isLast || (line2.isLast = isLast);
    });
    if (!isLast) sending++;
    const by = urls.length > 1 && !isLast && typeof XMLHttpRequest == "function" ? handWatched : hand;
    const ended = (outcome) => {
      flying -= bytes;
      batch.forEach((line2) => line2.copies--);
      if (!isLast) sending--;
      if (outcome) settle(batch, to, outcome);
    };
    by(address(to), bodyOf(batch), isLast, () => mayBeThere(batch, at, to)).then(ended, () => ended({ status: 0, isUnsent: true }));
  };
  const settle = (batch, to, { status, isJson: isJson2, isUnsent, retryAfter }) => {
    if (status == 204 || status == 200 && isJson2) {
      forget(batch);
      failures = unreached = notBefore = 0;
      return;
    }
    if (REFUSALS.includes(status)) forget(batch, "refused");
    if (isUnsent && to == current) {
      current = (to + 1) % urls.length;
      if (++unreached < urls.length) return flush2();
    }
    unreached = 0;
    const backOffMs = Math.random() * Math.min(everyMs * 2 ** ++failures, BACK_OFF_MAX_MS);
    notBefore = performance.now() + (retryMs(retryAfter) || backOffMs);
  };
  const send = (wanted, isLast) => {
    urls.forEach((_, to) => {
      const there = wanted.filter((line2) => (line2.to ?? (line2.copies ? line2.via : current)) == to);
      for (let from = 0; from < there.length; from += LINES_MAX) post(there.slice(from, from + LINES_MAX), to, isLast);
    });
  };
  const isOffline = () => navigator.onLine === false;
  const flush2 = () => {
    if (isStopped || sending || isOffline() || performance.now() < notBefore) return;
    close();
    send(lines.filter(({ copies }) => !copies), false);
  };
  const leave = () => {
    if (isStopped) return;
    close();
    if (isOffline()) return;
    const underWay = lines.filter((line2) => line2.copies > 0 && !line2.isLast && !isOld(line2));
    send(lines.filter(({ copies }) => !copies), true);
    if (underWay.length && flying + total(underWay) <= FLYING_BYTES_MAX) send(underWay, true);
  };
  const disarm = () => {
    if (!armed) return;
    const { result, abort, at, to, others, line: line2 } = armed;
    const held = armed.measured;
    armed = void 0;
    if (result.activated) {
      if (line2) lines.push(line2);
      mayBeThere(line2 ? [...others, line2] : others, at, to);
    } else {
      abort.abort();
      addAll(measured, held);
    }
  };
  const arm = () => {
    if (isStopped || typeof fetchLater != "function") return;
    if (armed && !armed.result.activated && !measured.sums.size && !measured.counts.size) return;
    disarm();
    const fresh = lineOf(measured);
    const goes = ({ copies, at, to }) => !copies && (!at || to == current && isSeen());
    const others = lines.filter(goes).slice(1 - LINES_MAX);
    const body = fresh ? [...others, fresh] : others;
    if (!body.length) return;
    const abort = new AbortController();
    try {
      const result = fetchLater(address(current), { method: "POST", body: bodyOf(body), credentials: "omit", signal: abort.signal });
      armed = { result, abort, at: moment(), measured, others, to: current, ...fresh && { line: fresh } };
      measured = nothing();
    } catch {
    }
  };
  return {
    measured: () => measured,
    flush: flush2,
    leave,
    arm,
    back: () => {
      lines.forEach((line2) => line2.isLast = false);
      flush2();
    },
    check: () => {
      if (measured.bytes > BATCH_BYTES_MAX) close();
    },
    stop: () => {
      disarm();
      isStopped = true;
    },
    goOn: () => {
      isStopped = false;
    }
  };
};

// client/path.ts
var template = (path2) => path2.replace(/[?#].*/s, "").replace(/\[+\.*(\w+)\]+/g, ":$1").split("/").map((segment) => /[\d@]/.test(segment) || [...segment].length > 24 ? ":id" : segment).join("/");

// client/instance.ts
var KEY = /* @__PURE__ */ Symbol.for("lastmile");
var BEAT_MS = 1e3;
var HELD_BYTES_MAX = 28e3;
var VALUE_MAX = 1e290;
var isBrowser = () => (
  // Some servers call themselves workers, but have no address.
  typeof document == "object" || typeof WorkerGlobalScope == "function" && typeof location == "object"
);
var path = () => typeof location == "object" ? location.pathname : "";
var create = () => {
  let isStopped = false;
  let isUnwanted = !isBrowser();
  let held = nothing();
  let sending;
  let isOn = false;
  let options;
  let callbacks = {};
  let due = 0;
  let startPath = "";
  let startPage;
  let named;
  const collectors2 = [];
  const names = [];
  const measured = () => {
    sending?.check();
    if (sending) return sending.measured();
    if (held.bytes < HELD_BYTES_MAX) return held;
    held.sums.set(DROPPED + "overflow", 1);
  };
  const count = (add, name, labels, value) => {
    if (typeof value != "number" || !(value >= 0 && value < VALUE_MAX)) return console.warn("lastmile: not a number from 0:", name, value);
    if (isUnwanted || isStopped) return;
    const key = seriesKey(name, labels);
    const to = measured();
    if (to) add(to, key, value);
  };
  const emit = (event) => callbacks[event]?.forEach((then) => then());
  const everyMs = () => options.every * 1e3;
  const beat = () => {
    emit("beat");
    if (performance.now() >= due) {
      due = performance.now() + everyMs() * (0.8 + 0.4 * Math.random());
      sending.flush();
    }
    sending.arm();
  };
  const navigated = () => {
    startPath = path();
    startPage = named;
  };
  const leave = () => {
    emit("leave");
    sending.leave();
  };
  const back = () => {
    emit("back");
    sending.back();
  };
  const start2 = () => {
    if (isOn || !options || isUnwanted) return;
    isStopped = false;
    if (typeof document == "object" && document.prerendering) {
      return document.addEventListener("prerenderingchange", () => isStopped || start2(), { once: true });
    }
    isOn = true;
    sending ?? (sending = delivery([].concat(options.url || "/lm"), everyMs(), options.oneIn, held));
    sending.goOn();
    held = nothing();
    due = performance.now() + BEAT_MS * (0.5 + Math.random());
    const timer = setInterval(beat, BEAT_MS);
    instance.on("stop", () => clearInterval(timer));
    instance.listen(self, "visibilitychange", () => isSeen() ? back() : leave());
    instance.listen(self, "pagehide", () => {
      emit("away");
      if (!isSeen() || typeof fetchLater != "function") leave();
    });
    instance.listen(self, "pageshow", ({ persisted }) => {
      if (!persisted) return;
      navigated();
      emit("restored");
      back();
    });
    instance.listen(self, "online", () => sending.flush());
    collectors2.forEach((collector) => collector(instance, options));
  };
  const instance = {
    increment: (name, labels, by = 1) => count(increment, name, labels, by),
    observe: (name, labels, value) => count(observe, name, labels, value),
    flush: () => {
      emit("beat");
      sending?.flush();
    },
    page: (name) => {
      if (!name) return;
      named = template(name);
      if (path() == startPath) startPage = named;
    },
    start: start2,
    stop: () => {
      isStopped = true;
      held = nothing();
      emit("stop");
      callbacks = {};
      sending?.stop();
      isOn = false;
    },
    begin: (given, more, isAgain) => {
      const isFirst = !options;
      if (isFirst) {
        const every = Math.max(Number(given.every) || 10, 1);
        const oneIn = Math.min(Math.max(Math.round(given.oneIn || 1), 1), 1e3);
        options = { ...given, every, oneIn };
        isUnwanted || (isUnwanted = given.gpc !== false && !!navigator.globalPrivacyControl || Math.random() * oneIn >= 1);
        if (given.page) named = template(given.page);
        navigated();
      }
      const { manual, skip = [] } = options;
      Object.keys(more).forEach((name) => {
        if (!skip.includes(name)) instance.run(more[name], name);
      });
      if ((isFirst || isAgain) && !manual) start2();
    },
    run: (collector, name = "") => {
      if (isUnwanted || name && names.includes(name)) return;
      names.push(name);
      collectors2.push(collector);
      if (isOn) collector(instance, options);
    },
    on: (event, then) => (callbacks[event] ?? (callbacks[event] = [])).push(then),
    listen: (to, type, then, capture) => {
      to.addEventListener(type, then, capture);
      instance.on("stop", () => to.removeEventListener(type, then, capture));
    },
    startPage: () => startPage ?? template(startPath)
  };
  return instance;
};
var home = globalThis;
var shared = () => home[KEY] ?? (home[KEY] = create());

// client/core.ts
var init = (options = {}) => shared().begin(options, collectors(), true);
var start = () => shared().start();
var stop = () => shared().stop();
var increment2 = (name, ...[labels, by]) => shared().increment(name, labels, by);
var observe2 = (name, labels, value) => shared().observe(name, labels, value);
var flush = () => shared().flush();
var page = (template2) => shared().page(template2);

export {
  __publicField,
  PerformanceObserver,
  disconnectAll,
  isSeen,
  isBackground,
  collectors,
  shared,
  init,
  start,
  stop,
  increment2 as increment,
  observe2 as observe,
  flush,
  page
};
