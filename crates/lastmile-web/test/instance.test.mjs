import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./support/load.mjs";

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

test("there is one on a page", () => {
  const home = {};
  const first = load(["instance"], { globalThis: home, document: {} }).shared();
  assert.equal(load(["instance"], { globalThis: home, document: {} }).shared(), first);
});

test("where there is no page, as on a server that renders it, nothing happens", () => {
  const home = {};
  const { shared } = load(["instance"], { globalThis: home, document: undefined, WorkerGlobalScope: undefined });
  const instance = shared();
  instance.increment("a_total");
  instance.observe("b_seconds", null, 1);
  instance.page("/users/:id");
  instance.flush();
  instance.begin({}, { never: () => assert.fail("there is nothing to measure") });
  instance.stop();
});
