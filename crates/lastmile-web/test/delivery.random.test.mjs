// Any sequence of what may happen to a page and its network, against a server that counts each line once. What was
// counted is in the end on a server, once, or was given up and said to be.

import assert from "node:assert/strict";
import { test } from "node:test";

import { delivering } from "./support/delivering.mjs";
import { random } from "./support/random.mjs";
import { settled, world } from "./support/world.mjs";

/** `SEQUENCES=100000 npm test` looks longer, `SEED=… SEQUENCES=1` at one alone. */
const SEQUENCES = Number(process.env.SEQUENCES ?? 1_000);
const FIRST_SEED = Number(process.env.SEED ?? 1);
const STEPS = 60;
const EVERY_MS = 10_000;

/** What a network and a server may make of a request. */
const OUTCOMES = [
  { isApplied: true, status: 204 },
  { isApplied: true, status: 204 },
  { isApplied: true, status: 200, type: "application/json" },
  { isApplied: true }, // and then the connection breaks
  {}, // before anybody has it
  { status: 429, retryAfter: "7" },
  { status: 503 },
  { status: 503, retryAfter: "Thu, 01 Jan 2026 00:02:00 GMT" },
  { status: 200, type: "text/html" }, // of a hotel
  { isApplied: true, status: 502 }, // of a proxy that gave up
  { status: 400 },
  { status: 413 },
  { status: 404, isElsewhere: true }, // of whoever a redirect leads to
];
const REFUSALS = [400, 413];

const sum = (numbers) => numbers.reduce((all, n) => all + n, 0);

/** The members of a line or of several. */
const membersOf = (texts) => texts.flatMap((text) => Object.entries(JSON.parse(text).m));

const dropped = (members, reason = "") =>
  sum(members.filter(([key]) => key.startsWith(`client_dropped_total;reason=${reason}`)).map(([, n]) => n));

const play = async (seed) => {
  const rng = random(seed);
  const urls = rng.chance(0.4) ? ["/lm", "https://backup.example/lm?key=1"] : ["/lm"];
  const page = world(rng, urls, { hasKeepalive: rng.chance(0.7), hasFetchLater: rng.chance(0.7) });
  const { it, increment } = delivering(page, urls, EVERY_MS);
  // One clock at most is wrong: with two that are, nothing can be known.
  const clock = rng.pick(["right", "right", "set", "sleeps"]);
  const refuses = rng.chance(0.3);
  let n = 0;
  let isAway = false;

  const count = (times, length = 0) => {
    for (let i = 0; i < times; i++) {
      it.check();
      increment(it.measured(), `clicks_total;n=${n++}${rng.pick(["x", "é"]).repeat(length)}`, 1);
      increment(it.measured(), "all_total", 1);
    }
  };
  const settleOne = async () => {
    const request = rng.pick(page.requests());
    if (!request) return;
    const outcome = rng.pick(OUTCOMES);
    if (!refuses && REFUSALS.includes(outcome.status)) return;
    // Nobody answers or applies what did not leave.
    if (outcome.isApplied || outcome.status || rng.chance(0.5)) page.upload(request);
    await page.settle(request, outcome);
  };
  const pass = async (ms, how) => {
    for (const request of page.overdue(ms)) {
      page.upload(request);
      await page.settle(request, { isApplied: rng.chance(0.5) });
    }
    await page.pass(ms, how);
  };
  const beat = () => {
    if (rng.chance(0.3)) it.flush();
    page.arm(() => it.arm());
  };

  const steps = [
    [6, () => count(1 + rng.below(4))],
    [0.6, () => count(6, 1_000)],
    [0.1, () => count(40, 1_000)],
    [5, beat],
    [3, () => it.flush()],
    [6, settleOne],
    [2, async () => { for (let i = 0; i < 4; i++) await settleOne(); }],
    [1, () => { const request = rng.pick(page.requests()); if (request) page.upload(request); }],
    [4, () => pass(rng.below(3_000))],
    [3, () => pass(10_000 + rng.below(30_000))],
    [1, () => pass(60_000 + rng.below(180_000))],
    [1, () => { page.setOnline(rng.chance(0.6)); }],
    [2, () => { it.leave(); isAway = true; }],
    [2, () => { if (isAway) { it.back(); isAway = false; } }],
    [0.7, () => { if (isAway) { beat(); page.fire(); } }],
    [clock == "set" ? 1 : 0, () => page.pass(0, { wall: (rng.next() - 0.5) * 3_600_000 })],
    [clock == "sleeps" ? 1 : 0, () => pass(rng.below(235_000), { page: 0 })],
  ];
  const weights = sum(steps.map(([weight]) => weight));

  for (let i = 0; i < STEPS; i++) {
    let at = rng.next() * weights;
    const [, step] = steps.find(([weight]) => (at -= weight) < 0);
    await step();
    await settled();
  }

  // Then all is well until nothing is left.
  page.setOnline(true);
  it.back();
  for (let rounds = 0; rounds < 40; rounds++) {
    for (const request of [...page.requests()]) {
      page.upload(request);
      await page.settle(request, { isApplied: true, status: 204 });
    }
    await pass(20_000);
    it.flush();
    await settled();
  }
  assert.equal(page.requests().length, 0, "all was said, and it is still sending");

  const lines = [...page.made].filter(([, { isLine }]) => isLine).map(([text]) => text);
  const members = membersOf(lines);
  const written = members.filter(([key]) => key.startsWith("clicks_total")).map(([key]) => key);
  assert.equal(new Set(written).size, written.length, "nothing is in two lines");
  assert.equal(written.length, n, "everything is in a line");
  assert.equal(sum(members.filter(([key]) => key == "all_total").map(([, by]) => by)), n);

  const applied = page.servers.flatMap((server) => [...server.applied]);
  for (const [text, times] of applied) assert.equal(times, 1, `counted ${times} times: ${text.slice(0, 60)}`);
  assert.equal(new Set(applied.map(([text]) => text)).size, applied.length, "counted by two servers");

  const lost = lines.filter((text) => !applied.some(([other]) => other == text)).length;
  const given = dropped(membersOf(applied.map(([text]) => text)));
  assert.ok(lost <= given, `${lost} lines are lost, ${given} were said to be dropped`);
  return { lines: lines.length, lost, given, n };
};

test("what was counted arrives once, or is said to be dropped, whatever happens", async () => {
  const total = { lines: 0, lost: 0, given: 0, n: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEQUENCES; seed++) {
    try {
      const seen = await play(seed);
      for (const key of Object.keys(total)) total[key] += seen[key];
    } catch (error) {
      error.message = `SEED=${seed}: ${error.message}`;
      throw error;
    }
  }
  console.log(`${SEQUENCES} sequences: ${total.n} increments in ${total.lines} lines, ${total.given} dropped, ${total.lost} never arrived`);
  if (SEQUENCES >= 1_000) assert.ok(total.lost > 0 && total.given > total.lost, "this has seen lines being dropped");
});
