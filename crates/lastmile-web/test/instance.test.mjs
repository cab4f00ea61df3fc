import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./support/load.mjs";
import { settled } from "./support/world.mjs";

/** A page that nobody has started to measure, and what is said on its console. */
const waiting = () => {
  const said = [];
  const globals = { globalThis: {}, document: {}, console: { warn: (...words) => said.push(words.join(" ")) } };
  return { instance: load(["instance"], globals).shared(), said };
};

test("what is no number from 0 is said to be none, and is not counted", () => {
  const check = (value, isTaken) => {
    const { instance, said } = waiting();
    instance.increment("a_total", null, value);
    instance.observe("b_seconds", null, value);
    assert.equal(said.length, isTaken ? 0 : 2, `${value}`);
  };
  check(0, true);
  check(2.5, true);
  check(1e289, true);
  check(-1, false);
  check(NaN, false);
  check(Infinity, false);
  // Rounded, or added to itself, it would be Infinity.
  check(Number.MAX_VALUE, false);
  // As text it would be put behind a sum, not added to it.
  check("2", false);
  check(null, false);
  check(2n, false);
});

/** A page that may be measured, and the members of each line that was taken from it. */
const measuring = (change = {}) => {
  const sent = [];
  const globals = {
    globalThis: {},
    document: { visibilityState: "visible" },
    self: { addEventListener() {}, removeEventListener() {} },
    location: { pathname: "/" },
    navigator: { onLine: true },
    setInterval() {},
    clearInterval() {},
    fetch: (_, { body }) => {
      sent.push(...body.split("\n").map((line) => JSON.parse(line).m));
      return Promise.resolve({ status: 204, redirected: false, headers: { get: () => null } });
    },
    ...change,
  };
  const instance = load(["instance"], globals).shared();
  return { instance, sent };
};

test("a view is of the page that it began on", () => {
  const location = { pathname: "/shop/7" };
  const { instance } = measuring({ location });
  instance.begin({}, {});
  assert.equal(instance.startPage(), "/shop/:id");
  instance.page("/shop/[sku]");
  assert.equal(instance.startPage(), "/shop/:sku");
  location.pathname = "/cart";
  instance.page("/cart");
  assert.equal(instance.startPage(), "/shop/:sku");
});

test("what sends while it is being counted is counted all the same", async () => {
  const { instance, sent } = measuring();
  instance.begin({}, {});
  instance.increment("before_total");
  const toString = () => {
    instance.flush();
    return "x";
  };
  instance.increment("a_total", { of: { toString } });
  await settled();
  instance.flush();
  assert.deepEqual(sent, [{ before_total: 1 }, { "a_total;of=x": 1 }]);
});

test("what was counted before it began, and is too much to be held, is said to be dropped", () => {
  const check = (n, dropped) => {
    const { instance, sent } = measuring();
    for (let i = 0; i < n; i++) instance.increment("a_total", { i });
    instance.begin({}, {});
    instance.flush();
    assert.equal(sent.length, 1);
    assert.equal(sent[0]["client_dropped_total;reason=overflow"], dropped);
    assert.equal(Object.keys(sent[0]).length < n, !!dropped);
  };
  check(1_000, undefined);
  check(5_000, 1);
});

test("a page that a router has no name for keeps the one that it has", () => {
  const { instance } = measuring();
  instance.page("/users/:id");
  for (const name of [undefined, null, ""]) instance.page(name);
  instance.begin({}, {});
  assert.equal(instance.startPage(), "/users/:id");
});

test("what is there once is, whoever brings it and however often", () => {
  const { instance } = measuring();
  const calls = { named: 0, nameless: 0 };
  const bring = () => {
    instance.run(() => calls.named++, "ping cdn /");
    instance.run(() => calls.nameless++);
  };
  bring();
  instance.begin({}, { "ping cdn /": () => assert.fail("there is one") });
  assert.deepEqual(calls, { named: 1, nameless: 1 });
  bring();
  assert.deepEqual(calls, { named: 1, nameless: 2 });
  instance.stop();
  instance.start();
  assert.deepEqual(calls, { named: 2, nameless: 4 });
});

test("there is one on a page", () => {
  const home = {};
  const first = load(["instance"], { globalThis: home, document: {} }).shared();
  assert.equal(load(["instance"], { globalThis: home, document: {} }).shared(), first);
});

test("where there is no page, as on a server that renders it, nothing happens", () => {
  const check = (globals) => {
    const setInterval = () => assert.fail("there is nothing to wait for");
    const { shared } = load(["instance"], { globalThis: {}, document: undefined, setInterval, ...globals });
    const instance = shared();
    instance.increment("a_total");
    instance.increment("a_total", { of: { toString: () => assert.fail("nobody wants to know") } });
    instance.observe("b_seconds", null, 1);
    instance.page("/users/:id");
    instance.flush();
    instance.begin({}, { never: () => assert.fail("there is nothing to measure") });
    instance.run(() => assert.fail("there is nothing to measure"));
    instance.stop();
  };
  check({ WorkerGlobalScope: undefined });
  // Cloudflare's servers are workers by name, and throw where a timer is set as they start.
  check({ WorkerGlobalScope: class {}, location: undefined });
});
