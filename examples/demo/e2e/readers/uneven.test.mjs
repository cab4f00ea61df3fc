// A Prometheus that scrapes every second beside one that scrapes every 5 s: what the fast one has been
// shown is still new to the slow one.

import { test } from "node:test";

import { births, closed, told } from "./story.mjs";

const FAST = "the one at 1 s";
const SLOW = "the one at 5 s";
const SLOW_SECONDS = 5;

/** Longer than the slow one's interval: a batch at every moment of it. */
const PUSH_SECONDS = 1.2 * SLOW_SECONDS;

/** What is pushed while the aggregator knows only the fast one, or not yet the slow one's rhythm. */
const AGAIN = "clicks_total;button=show";
const SOON = "views_total;page=soon";

test("readers at 1 s and at 5 s see every increment, across expiry and restarts", (t) =>
  told(t, [FAST, SLOW], async (story) => {
    await story.begin();
    await Promise.all([
      story.reads(FAST, { seconds: 1 }),
      story.reads(SLOW, { seconds: SLOW_SECONDS }),
    ]);
    const assertExact = async () => {
      await story.untilScraped(2);
      for (const name of [FAST, SLOW]) await story.assertExact(name);
    };

    await story.untilScraped(2, story.lives[0].from);
    await story.push({ [AGAIN]: 1 });
    await story.pushFor(PUSH_SECONDS, births("page"));
    await assertExact();

    await story.untilExpired();
    await story.pushFor(PUSH_SECONDS, births("page"));
    await assertExact();

    // All had been read, so a signal takes nothing away. The closed families are at 0 again.
    await story.restart("stop");
    await story.push({ [AGAIN]: 10 });
    await story.pushFor(3, closed);
    await story.untilScraped(1, story.lives[1].from, [SLOW]);
    await story.push({ [SOON]: 5 });
    await assertExact();
    await assertExact(); // after two more scrapes: what was counted twice would show by now
  }));
