// A Prometheus that comes back, on another connection or after a restart: to the aggregator it is a
// reader that nobody knows. It may lose what every exporter loses; it is never shown a fall, and so
// computes no increase that did not happen.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { startRelay } from "../support/relay.mjs";
import { births, told } from "./story.mjs";

const STEADY = "the one that stays";
const RECONNECTS = "the one that reconnects";
const RESTARTS = "the one that restarts";
const N_CUTS = 6;

const isClosed = (series) => /^(clicks|load|lastmile)_/.test(series);

/**
 * Breaks the connection again and again, after one, two or three scrapes: between two of them, and every
 * other time in the next one, too.
 */
const breakConnections = async (relay) => {
  for (let i = 0; i < N_CUTS; i++) {
    await sleep(1_300 + (i % 3) * 1_000);
    if (i % 2 === 1) relay.loseNextAnswer();
    await relay.cut();
  }
};

test("a reader that reconnects, or restarts on its own data, sees no increase that did not happen", (t) =>
  told(t, [STEADY], async (story) => {
    await story.begin();
    const relay = story.add(await startRelay(story.metricsUrl));
    const [, , restarts] = await Promise.all([
      story.reads(STEADY, { seconds: 1 }),
      story.reads(RECONNECTS, { seconds: 1 }, relay.url),
      story.reads(RESTARTS, { seconds: 1 }),
    ]);
    await story.untilScraped(2, story.lives[0].from);

    const restarting = async () => {
      await sleep(3_000);
      await restarts.pause();
      await sleep(2_000);
      await restarts.resume();
      await story.untilScraped(3, Date.now(), [RESTARTS]);
    };
    // New series all the time: before, while and after each of the two is away.
    await story.pushWhile(Promise.all([breakConnections(relay), restarting()]), births);

    for (let i = 0; i < 2; i++) {
      await story.untilScraped(2);
      await story.assertExact(STEADY);
      for (const name of [RECONNECTS, RESTARTS]) {
        await story.assertNoneTooMany(name);
        await story.assertExact(name, isClosed);
      }
    }
    t.diagnostic(`${relay.nConnections()} connections, ${relay.nLost()} answers lost`);
    assert.ok(relay.nConnections() > N_CUTS, "after each cut came another connection");
    assert.ok(relay.nLost() > 0);
  }));
