// What untrusted clients send, and what Prometheus makes of it: the target stays up, every sample is
// a finite number, no counter falls, and exactly what should be counted is counted.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { DEMO_SCHEMA, push, samples, scrape, startAggregator } from "../support/aggregator.mjs";
import { promtoolCheck, startPrometheus } from "../support/prometheus.mjs";

let aggregator;
let prometheus;
before(async () => {
  aggregator = await startAggregator("--schema", DEMO_SCHEMA);
  prometheus = await startPrometheus({ hostile: aggregator.metricsUrl });
});
after(async () => {
  await prometheus?.stop();
  await aggregator?.stop();
});

// Each hostile entry travels between two good ones, which must be counted all the same.
const GOOD = '{"metricName":"app_load_succeeded","metricType":"counter","labels":{"app":"student"},"inc":1}';
const GOOD_SERIES = 'app_load_succeeded{app="student"}';
const GOOD_KEY = '"app_load_succeeded;app=student":1';

const counter = (inc, name = "usage_total", labels = '{"browser":"chrome","feature":"showContent"}') =>
  `{"metricName":${JSON.stringify(name)},"metricType":"counter","labels":${labels}${inc}}`;
const histogram = (observations, host = "a") =>
  `{"metricName":"firebase_response_time","metricType":"histogram","labels":{"firebaseHost":${JSON.stringify(host)}},"observations":${observations}}`;
const deep = (n) => "[".repeat(n) + "]".repeat(n);

// What `POST /record` takes: the entry, then the reasons for which its samples are refused.
const RECORD = [
  ["text as an observation: what silenced prometheus-user-metrics for good", histogram('["zz top"]'), { not_a_number: 1 }],
  ["text as an increment: what froze its counter", counter(',"inc":"1"'), { not_a_number: 1 }],
  ["no increment: what made its counter NaN", counter(""), { not_a_number: 1 }],
  ["a fall", counter(',"inc":-1000000'), { negative: 1 }],
  ["a small fall", counter(',"inc":-5e-324'), { negative: 1 }],
  ["more than a double holds", counter(',"inc":1e999'), { not_finite: 1 }],
  ["so much that a later 1 is absorbed", counter(',"inc":1e300'), { too_large: 1 }],
  ["the largest double", counter(',"inc":1.7e308'), { too_large: 1 }],
  ["the largest double again, which would make infinity", counter(',"inc":1.7e308'), { too_large: 1 }],
  ["null", counter(',"inc":null'), { not_a_number: 1 }],
  ["true", counter(',"inc":true'), { not_a_number: 1 }],
  ["an object as an increment", counter(',"inc":{"valueOf":1}'), { not_a_number: 1 }],
  ["observations of every wrong kind", histogram('[null,true,"1",[],{},[0.1,2],-1,1e999,1e300]'), { not_a_number: 6, negative: 1, not_finite: 1, too_large: 1 }],
  ["observations that are no array", histogram('{"0":1}'), { not_a_number: 1 }],
  ["the other type", counter(',"inc":1', "firebase_response_time", '{"firebaseHost":"a"}'), { type_mismatch: 1 }],
  ["a type that is no text", '{"metricName":"usage_total","metricType":1,"inc":1}', { type_mismatch: 1 }],
  ["what every JavaScript object has: constructor", counter(',"inc":1', "constructor"), { unknown_family: 1 }],
  ["what every JavaScript object has: __proto__", counter(',"inc":1', "__proto__"), { unknown_family: 1 }],
  ["a name that is a line of exposition", counter(',"inc":1', "up 0\nup"), { unknown_family: 1 }],
  ["the aggregator's own counter", counter(',"inc":1', "lastmile_scrapes_total", '{"result":"complete"}'), { unknown_family: 1 }],
  ["the seed's own counter", counter(',"inc":1', "metrics_aggregator_record_total", "{}"), { unknown_family: 1 }],
  ["a histogram's line as a name", counter(',"inc":1', "firebase_response_time_bucket", '{"le":"+Inf"}'), { unknown_family: 1 }],
  ["no name", '{"inc":1}', { malformed: 1 }],
  ["a name that is no text", '{"metricName":{},"inc":1}', { malformed: 1 }],
  ["no object at all", "7", { malformed: 1 }],
  ["labels that are text", counter(',"inc":1', "usage_total", '"x"'), { malformed: 1 }],
  ["a label that is null", counter(',"inc":1', "usage_total", '{"browser":null,"feature":"x"}'), { malformed: 1 }],
  ["a label too many", counter(',"inc":1', "app_load_succeeded", '{"app":"student","le":"1"}'), { unknown_label: 1 }],
  ["a label whose name breaks out", counter(',"inc":1', "app_load_succeeded", '{"app":"student","a\\"} 1\\nup 0\\n#":"1"}'), { unknown_label: 1 }],
  ["__name__ as a label", counter(',"inc":1', "app_load_succeeded", '{"app":"student","__name__":"up"}'), { unknown_label: 1 }],
  ["a label too few", counter(',"inc":1', "usage_total", '{"browser":"chrome"}'), { missing_label: 1 }],
  ["a label of 10,000 bytes", histogram("[1]", "x".repeat(10_000)), { label_too_long: 1 }],
];

// What `POST /lm` takes: a member of `m`, the reasons, and the line's other keys (all of which make
// the good member fall with it).
const LM1 = [
  ["weight 0", `"usage_total;browser=edge;feature=showContent":1`, { bad_weight: 2 }, ',"w":0'],
  ["half a weight", `"usage_total;browser=edge;feature=showContent":1`, { bad_weight: 2 }, ',"w":0.5'],
  ["an immense weight", `"usage_total;browser=edge;feature=showContent":1`, { bad_weight: 2 }, ',"w":1e15'],
  ["an immense count", `"firebase_response_time;firebaseHost=a":[[0.1,1e15]]`, { bad_count: 1 }],
  ["a count of 0, less and in part", `"firebase_response_time;firebaseHost=a":[[0.1,0],[0.1,-1],[0.1,0.5]]`, { bad_count: 3 }],
  ["pairs that are none", `"firebase_response_time;firebaseHost=a":[[],[1],[1,2,3],["1",1]]`, { not_a_number: 4 }],
  ["a counter as an array", `"usage_total;browser=edge;feature=showContent":[1,2]`, { type_mismatch: 2 }],
  ["a histogram as a number", `"firebase_response_time;firebaseHost=a":1`, { type_mismatch: 1 }],
  ["text as a value", `"usage_total;browser=edge;feature=showContent":"1"`, { not_a_number: 1 }],
  ["a coded newline in the name", `"up%0aup":1`, { unknown_family: 1 }],
  ["the aggregator's own gauge", `"lastmile_build_info;version=0.1.0":7`, { unknown_family: 1 }],
  ["a broken code", `"firebase_response_time;firebaseHost=%zz":[1]`, { malformed: 1 }],
  ["bytes that are no UTF-8", `"firebase_response_time;firebaseHost=%ff%fe":[1]`, { malformed: 1 }],
  ["a label twice", `"firebase_response_time;firebaseHost=a;firebaseHost=b":[1]`, { malformed: 1 }],
  ["a label without a value", `"firebase_response_time;firebaseHost":[1]`, { malformed: 1 }],
  ["an empty key", `"":1`, { malformed: 1 }],
];

// Bodies of which nothing may be counted, not even the good entry before the fault: what they are,
// the status, and the reason where it is not simply syntax.
const UNDECODABLE = [
  ["/record", "nothing", "", 400],
  ["/record", "half an array", `[${GOOD},`, 400],
  ["/record", "NaN", `[${GOOD},${counter(',"inc":NaN')}]`, 400],
  ["/record", "Infinity", `[${GOOD},${counter(',"inc":Infinity')}]`, 400],
  ["/record", "a trailing comma", `[${GOOD},]`, 400],
  ["/record", "an object", GOOD, 400, "expected_array"],
  ["/record", "a byte order mark", `\ufeff[${GOOD}]`, 400],
  ["/record", "invalid UTF-8", Buffer.concat([Buffer.from(`[${GOOD},"`), Buffer.from([0xff, 0xc0]), Buffer.from('"]')]), 400, "invalid_utf8"],
  ["/record", "UTF-16", Buffer.from(`[${GOOD}]`, "utf16le"), 400],
  ["/record", "20,000 open brackets", `[${GOOD},${"[".repeat(20_000)}`, 400, "too_deep"],
  ["/record", "brackets 20,000 deep", `[${GOOD},${deep(20_000)}]`, 400, "too_deep"],
  ["/record", "100,000 open brackets", "[".repeat(100_000), 413],
  ["/record", "a key of 10 MB", `[{"${"x".repeat(10_000_000)}":1}]`, 413],
  ["/lm", "nothing", "", 400, "empty"],
  ["/lm", "blank lines", "\n\r\n \t\n", 400, "empty"],
  ["/lm", "17 lines", `{"lm":1,"m":{${GOOD_KEY}}}\n`.repeat(17), 400, "too_many_lines"],
  ["/lm", "another version", `{"lm":2,"m":{${GOOD_KEY}}}`, 400, "unsupported_version"],
  ["/lm", "an id of 6 characters", `{"lm":1,"id":"abcdef","m":{${GOOD_KEY}}}`, 400, "bad_id"],
  ["/lm", "an id that is a line of exposition", `{"lm":1,"id":"aaaaaaaaaaaaaaaa\\nup 0","m":{${GOOD_KEY}}}`, 400, "bad_id"],
  ["/lm", "no m", '{"lm":1}', 400, "missing_m"],
  ["/lm", "m twice", `{"lm":1,"m":{${GOOD_KEY}},"m":{${GOOD_KEY}}}`, 400, "duplicate_key"],
  ["/lm", "an array", `[${GOOD}]`, 400, "expected_object"],
];

// Label values that would break out of their quotes, or be mistaken for something else. They are
// data: each must come back from Prometheus as it went in.
const LABEL_VALUES = [
  'a"} 1\nup 0\n# ', "back\\slash", "\\", '"', "\\n is no newline", "new\nline", "carriage\rreturn", "nul\u0000",
  "{}", "%0a", "semi;colon=equals%25", "NaN", "+Inf", "\u2028line separator", "\u{1f469}\u{200d}\u{1f680}", "\u202eright to left",
];
const LONE_SURROGATE = histogram("[1]", "lone").replace('"lone"', '"lone \\ud800"');

describe("hostile pushes", () => {
  let good = 0;
  const refusedInAll = {};
  const refuse = (refused) => {
    for (const [reason, n] of Object.entries(refused)) refusedInAll[reason] = (refusedInAll[reason] ?? 0) + n;
  };

  for (const [what, entry, refused] of RECORD) {
    test(`POST /record refuses alone: ${what}`, async () => {
      good += 2;
      refuse(refused);
      const report = await push(aggregator.publicUrl, "/record", `[${GOOD},${entry},${GOOD}]`);
      assert.deepEqual(report, { status: 200, accepted: 2, refused });
    });
  }

  for (const [what, member, refused, more = ""] of LM1) {
    test(`POST /lm refuses alone: ${what}`, async () => {
      const accepted = more ? 0 : 1;
      good += accepted;
      refuse(refused);
      const report = await push(aggregator.publicUrl, "/lm", `{"lm":1${more},"m":{${GOOD_KEY},${member}}}`);
      assert.deepEqual(report, { status: 200, accepted, refused });
    });
  }

  for (const [path, what, body, status, reason] of UNDECODABLE) {
    test(`POST ${path} counts nothing of ${what}`, async () => {
      const report = await push(aggregator.publicUrl, path, body);
      const wanted = status === 413 ? [413, 0] : [status];
      assert.ok(wanted.includes(report.status), `status ${report.status}`);
      if (reason) assert.equal(report.reason, reason);
      if (status === 400) assert.equal(typeof report.offset, "number", "where?");
    });
  }

  test("label values are data", async () => {
    for (const [i, value] of LABEL_VALUES.entries()) {
      const key = `firebase_response_time;firebaseHost=${value.replace(/[%;=]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}`;
      const [path, body] = i % 2 === 0
        ? ["/record", `[${histogram("[1]", value)}]`]
        : ["/lm", JSON.stringify({ lm: 1, m: { [key]: [1] } })];
      const report = await push(aggregator.publicUrl, path, body);
      assert.deepEqual(report, { status: 200, accepted: 1, refused: {} }, JSON.stringify(value));
    }
    const report = await push(aggregator.publicUrl, "/record", `[${LONE_SURROGATE}]`);
    assert.deepEqual(report, { status: 200, accepted: 1, refused: {} });
  });

  test("promtool still reads the exposition", async () => {
    const { text } = await scrape(aggregator.metricsUrl);
    // The sample app's names are not what the linter would choose, so it has remarks (exit 3); what
    // it cannot parse is exit 1.
    const { code, output } = await promtoolCheck(text);
    assert.ok(code === 0 || code === 3, output);
    assert.equal(samples(text).get(GOOD_SERIES), good);
  });

  test("Prometheus never lost the target, and has the truth", async () => {
    await prometheus.untilNumber(GOOD_SERIES, good);
    await prometheus.twoScrapes();
    assert.equal(await prometheus.number("min_over_time(up[1h])"), 1);
    assert.equal(await prometheus.number(GOOD_SERIES), good);
    for (const [reason, n] of Object.entries(refusedInAll)) {
      assert.equal(await prometheus.number(`lastmile_refused_total{reason="${reason}"}`), n, reason);
    }
    assert.equal(await prometheus.number('sum(usage_total) - sum(usage_total{browser="chrome",feature="showContent"})'), 0);

    const hosts = (await prometheus.query("firebase_response_time_count")).map(({ metric }) => metric.firebaseHost);
    assert.deepEqual(hosts.sort(), [...LABEL_VALUES, "lone \ufffd"].sort());
  });

  test("every sample is finite, and no counter ever fell", async () => {
    const all = await prometheus.query('{job="hostile"}[1h]');
    assert.ok(all.length > 100, `${all.length} series`);
    for (const { metric, values } of all) {
      const series = JSON.stringify(metric);
      const numbers = values.map(([, text]) => Number(text));
      assert.ok(numbers.every(Number.isFinite), `${series}: ${numbers}`);
      if (!/(_total|_succeeded|_bucket|_sum|_count)$/.test(metric.__name__)) continue;
      assert.ok(numbers.every((number, i) => i === 0 || number >= numbers[i - 1]), `${series} fell: ${numbers}`);
    }
  });
});
