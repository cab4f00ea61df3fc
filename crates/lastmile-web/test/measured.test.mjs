import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./support/load.mjs";

const { addAll, increment, line, nothing, observe, seriesKey } = load(["measured"]);

test("a key is the name and the labels in order, escaped as lm1 wants it", () => {
  const check = (name, labels, wanted) => assert.equal(seriesKey(name, labels), wanted);
  check("loads_total", undefined, "loads_total");
  check("loads_total", null, "loads_total");
  check("loads_total", {}, "loads_total");
  check("loads_total", { app: "student" }, "loads_total;app=student");
  check("loads_total", { b: 2, a: true, C: "x" }, "loads_total;C=x;a=true;b=2");
  check("loads_total", { app: "" }, "loads_total;app=");
  check("a;b", { "c=d": "e%f" }, "a%3bb;c%3dd=e%25f");
  check("loads_total", { app: 'q"\\\n' }, 'loads_total;app=q"\\\n');
  check("loads_total", { app: "é😀" }, "loads_total;app=é😀");
  // Half a character is the server's to replace; in a line it is written as JSON has it.
  check("loads_total", { app: "a\ud83d" }, "loads_total;app=a\ud83d");
  check("loads_total", { app: "=".repeat(2_000) }, `loads_total;app=${"%3d".repeat(1_000)}`);
  check("loads_total", { app: `${"a".repeat(999)}😀` }, `loads_total;app=${"a".repeat(999)}\ud83d`);
  check("loads_total", { app: undefined }, "loads_total;app=undefined");
});

/** What the members of a line are, after these calls. */
const check = (calls, wanted, weight = 1) => {
  const measured = nothing();
  for (const [then, ...args] of calls) then(measured, ...args);
  const { id, ...rest } = JSON.parse(line(measured, weight));
  assert.match(id, /^[A-Za-z0-9_-]{16}$/);
  assert.deepEqual(rest, wanted);
};

test("increments are summed", () => {
  check([[increment, "a", 1], [increment, "b", 2.5], [increment, "a", 3]], { lm: 1, m: { a: 4, b: 2.5 } });
  check([[increment, "a", 0]], { lm: 1, m: { a: 0 } });
  // And not 0.30000000000000004.
  check([[increment, "a", 0.1], [increment, "a", 0.2]], { lm: 1, m: { a: 0.3 } });
  check([[increment, "a", 1e15]], { lm: 1, m: { a: 1e15 } });
  check([[increment, '"\\\u2028', 1]], { lm: 1, m: { '"\\\u2028': 1 } });
  check([[increment, "a\ud83d", 1]], { lm: 1, m: { "a\ud83d": 1 } });
});

test("three digits of an observation are kept, and equal ones share a place", () => {
  const rounded = (value, wanted) => check([[observe, "h", value]], { lm: 1, m: { h: [wanted] } });
  rounded(0, 0);
  rounded(0.0312, 0.0312);
  rounded(0.031249, 0.0312);
  rounded(0.03125, 0.0313);
  rounded(999.4, 999);
  rounded(999.5, 1000);
  rounded(86_437, 86_400);
  rounded(1e-9, 1e-9);
  rounded(5e-324, 5e-324);
  rounded(9.999e299, 1e300);
  check([[observe, "h", 1.001], [observe, "h", 2], [observe, "h", 1.0009]], { lm: 1, m: { h: [[1, 2], 2] } });
});

test("no pair counts more than 10,000", () => {
  const times = (n, wanted) => check([[observe, "h", 2, n]], { lm: 1, m: { h: wanted } });
  times(1, [2]);
  times(10_000, [[2, 10_000]]);
  times(10_001, [[2, 10_000], 2]);
  times(25_000, [[2, 10_000], [2, 10_000], [2, 5_000]]);
});

test("a weight is written where there is one", () => {
  check([[increment, "a", 1]], { lm: 1, w: 20, m: { a: 1 } }, 20);
  check([[increment, "a", 1]], { lm: 1, m: { a: 1 } }, 1);
});

test("what is added to something is as if it had been measured there", () => {
  const [one, two, both] = [nothing(), nothing(), nothing()];
  for (const [to, by] of [[one, 1], [two, 2]]) {
    for (const each of [to, both]) {
      increment(each, "a", by);
      observe(each, "h", by);
      observe(each, "h", 7, by);
    }
  }
  addAll(one, two);
  const members = (measured) => JSON.parse(line(measured, 1)).m;
  assert.deepEqual(members(one), members(both));
  assert.equal(one.bytes, both.bytes);
});

test("the length of a line is known before it is written, and never much too low", () => {
  const measured = nothing();
  for (let i = 0; i < 200; i++) {
    increment(measured, seriesKey("clicks_total", { button: i }), i / 8);
    observe(measured, seriesKey("took_seconds", { step: i % 10 }), i * 0.0137);
    observe(measured, seriesKey("took_seconds", { step: i % 10 }), i * 0.0137);
  }
  const { length } = line(measured, 1);
  assert.ok(measured.bytes > length * 0.8 && measured.bytes < length * 1.5, `${measured.bytes} for ${length}`);
});

test("each line has an id of its own", () => {
  const measured = nothing();
  increment(measured, "a", 1);
  const ids = new Set(Array.from({ length: 1_000 }, () => JSON.parse(line(measured, 1)).id));
  assert.equal(ids.size, 1_000);
});
