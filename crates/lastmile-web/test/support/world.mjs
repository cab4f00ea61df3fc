// A page's clocks and network, in which nothing happens but what a test lets happen. Time stands until it is told to
// pass; a request waits until it is told what becomes of it.

import assert from "node:assert/strict";

import { server } from "./server.mjs";

/** Source: Fetch, §4.6: what all keepalive requests in flight may hold. */
const PAGE = "https://page.example/";
const KEEPALIVE_BYTES_MAX = 65_536;
/** Since somebody may have a line, until the last attempt of it starts. */
const AGE_MS_MAX = 300_000;
/** A network that holds a request for longer is not simulated: the client may be at it until the fifth minute. */
const HELD_MS_MAX = 240_000;

const bytesOf = (text) => Buffer.byteLength(text);

/** Lets everything run that waits for a promise. */
export const settled = async () => {
  for (let i = 0; i < 12; i++) await null;
};

/**
 * The world of one page: `globals` are what the client finds in it, `requests` what is on the network, `made` each line
 * that was written. `urls` are those of its servers.
 */
export const world = (rng, urls, { hasKeepalive = true, hasFetchLater = true } = {}) => {
  let pageMs = 1_000;
  let wallMs = Date.UTC(2026, 0, 1);
  let realMs = 0;
  let isOnline = true;
  let requests = [];
  const servers = urls.map(() => server(() => realMs));
  /** Each line: whether it is still one (what was armed and taken back is none), and when somebody may first have had it. */
  const made = new Map();
  const armed = new Set();
  let arming; // while something is being armed: the line that was written for it, if any

  const linesOf = (body) => body.split("\n");

  const onWay = (url, body, more) => {
    for (const text of linesOf(body)) {
      assert.ok(made.get(text)?.isLine, "only lines that were written are sent");
    }
    const request = { to: urls.findIndex((known) => url.startsWith(known)), body, sentMs: realMs, ...more };
    assert.notEqual(request.to, -1, url);
    assert.match(url, /[?&]s=\d{1,3}$/);
    requests.push(request);
    return request;
  };

  const flying = () => requests.filter(({ isKeepalive }) => isKeepalive).reduce((sum, { body }) => sum + bytesOf(body), 0);

  const keepsRoom = (body) =>
    assert.ok(flying() + bytesOf(body) <= KEEPALIVE_BYTES_MAX, "what may outlive the page has no more room");

  /** From now on somebody may have it, so it must not be sent for longer than the server knows it. */
  const attempted = ({ body, to, sentMs }) => {
    for (const text of linesOf(body)) {
      const line = made.get(text);
      line.firstMs ??= realMs;
      assert.ok(sentMs - line.firstMs <= AGE_MS_MAX, `sent again after ${sentMs - line.firstMs} ms`);
      line.to ??= to;
      assert.equal(line.to, to, "another server gets what the first may have");
    }
  };

  const response = (status, { type = null, retryAfter = null, isElsewhere = false } = {}) => {
    const headers = new Map([["content-type", type], ["retry-after", retryAfter]]);
    return { status, redirected: isElsewhere, headers: { get: (name) => headers.get(name) ?? null } };
  };

  class Xhr {
    upload = {};
    status = 0;
    open(_, url) {
      this.url = url;
    }
    setRequestHeader() {}
    getResponseHeader(name) {
      return this.answer.headers.get(name);
    }
    send(body) {
      const end = (answer) => {
        if (answer) {
          [this.answer, this.status] = [answer, answer.status];
          this.responseURL = answer.redirected ? "https://portal.example/" : new URL(this.url, PAGE).href;
        }
        this.onloadend();
      };
      const request = onWay(this.url, body, { isWatched: true, untilMs: realMs + this.timeout });
      Object.assign(request, { answer: end, uploaded: () => this.upload.onprogress({ loaded: 1 }) });
    }
  }

  /** Its address is found against the page's, as those of requests are. */
  class PageRequest {
    constructor(url) {
      this.url = new URL(url, PAGE).href;
    }
  }

  class KeptRequest extends PageRequest {
    get keepalive() {
      return true;
    }
  }

  const globals = {
    performance: { now: () => pageMs },
    Date: { now: () => wallMs, parse: Date.parse },
    Math: Object.assign(Object.create(Math), { random: rng.next }),
    crypto: { getRandomValues: (bytes) => bytes.map(() => rng.below(256)) },
    navigator: {
      get onLine() {
        return isOnline;
      },
      sendBeacon: (url, body) => {
        // Other scripts use what there is, too.
        if (flying() + bytesOf(body) > KEEPALIVE_BYTES_MAX || rng.chance(0.2)) return false;
        attempted(onWay(url, body, { isKeepalive: true }));
        return true;
      },
    },
    Request: hasKeepalive ? KeptRequest : PageRequest,
    AbortSignal: { timeout: (ms) => ({ untilMs: realMs + ms }) },
    fetch: (url, { body, signal, credentials, keepalive }) => {
      assert.equal(credentials, "omit");
      keepsRoom(body);
      const request = onWay(url, body, { isKeepalive: keepalive, untilMs: signal?.untilMs });
      attempted(request);
      return new Promise((resolve, reject) => {
        request.answer = (answer) => (answer ? resolve(answer) : reject(new TypeError("fetch failed")));
      });
    },
    XMLHttpRequest: Xhr,
    fetchLater: hasFetchLater
      ? (url, { body, signal }) => {
          const { line } = arming;
          const takeBack = () => line && (line.isLine = false);
          if (rng.chance(0.05)) {
            takeBack();
            throw new DOMException("no room", "QuotaExceededError");
          }
          const result = { activated: false };
          const entry = { url, body, result };
          armed.add(entry);
          signal.addEventListener("abort", () => {
            assert.ok(!result.activated, "what went is not taken back");
            armed.delete(entry);
            takeBack();
          });
          return result;
        }
      : undefined,
  };

  return {
    globals,
    servers,
    made,
    armed,
    requests: () => requests,
    now: () => realMs,

    /** A line was written, as each has to be told. */
    written: (text) => {
      assert.ok(!made.has(text), "each line is another");
      const line = { isLine: true };
      made.set(text, line);
      if (arming) arming.line = line;
      return text;
    },

    /** Calls what arms something. What is written by it is a line only if it goes. */
    arm: (then) => {
      arming = {};
      then();
      arming = undefined;
    },

    /** A byte of it left, which the page is told if it watches. */
    upload: (request) => {
      if (!request.isWatched || request.isUploaded || request.isGone) return;
      request.isUploaded = true;
      request.uploaded();
      attempted(request);
    },

    /** What becomes of a request. The page may have given up on it before, and then hears nothing. */
    settle: async (request, { isApplied, status, ...more } = {}) => {
      requests = requests.filter((other) => other != request);
      // Where the page gave up before a byte left, none will.
      const isDead = request.isWatched && request.isGone && !request.isUploaded;
      if (isApplied && !isDead) servers[request.to].take(request.body);
      if (!request.isGone) request.answer?.(status ? response(status, more) : undefined);
      await settled();
    },

    /** Time passes: `{ page, wall, real }` milliseconds. What takes too long is given up by the page, and goes on. */
    pass: async (ms, { page = ms, wall = ms } = {}) => {
      realMs += ms;
      pageMs += page;
      wallMs += wall;
      for (const request of requests) {
        if (!request.isGone && request.untilMs <= realMs) {
          request.isGone = true;
          request.answer?.(undefined);
        }
      }
      await settled();
    },

    /** Requests that the network has held for as long as it may. */
    overdue: (ms) => requests.filter(({ sentMs }) => realMs + ms - sentMs > HELD_MS_MAX),

    setOnline: (is) => {
      isOnline = is;
    },

    /** The browser sends what is armed, as it does where a page goes. */
    fire: () => {
      for (const entry of armed) {
        armed.delete(entry);
        entry.result.activated = true;
        attempted(onWay(entry.url, entry.body, {}));
      }
    },
  };
};
