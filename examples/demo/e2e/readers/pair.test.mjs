// Two Prometheus servers behind one address, every 2 s, the second 0.1 s after the first: each has a
// view of its own, and neither loses an increment.

import { test } from "node:test";

import { labelsApart } from "../support/phase.mjs";
import { medianLag, tookTurns } from "../support/rhythm.mjs";
import { births, Disturbed, job, told } from "./story.mjs";

const SECONDS = 2;
const LAG_MILLIS = 100;
const FIRST = "the first";
const SECOND = "the second";

/** Longer than an interval: a batch at every moment of it. */
const PUSH_SECONDS = 1.2 * SECONDS;

test("two readers 0.1 s apart see every increment, across expiry and restarts", (t) =>
  told(t, [FIRST, SECOND], async (story) => {
    const [first, second] = await labelsApart(job(story.metricsUrl), SECONDS, LAG_MILLIS);
    await story.begin();
    await Promise.all([
      story.reads(FIRST, { seconds: SECONDS, labels: first }),
      story.reads(SECOND, { seconds: SECONDS, labels: second }),
    ]);
    const assertExact = async () => {
      await story.untilScraped(2);
      for (const name of [FIRST, SECOND]) await story.assertExact(name);
    };

    // New series, at all moments: also between the scrape of the first and that of the second.
    await story.untilScraped(2, story.lives[0].from);
    await story.pushFor(PUSH_SECONDS, births("page"));
    await assertExact();

    // They leave, and come back as others of the same name.
    await story.untilExpired();
    await story.pushFor(PUSH_SECONDS, births("page"));
    await assertExact();

    // All start again at 0, and pass at once what the readers saw before. First what was there from the
    // beginning, then all kinds of series while the readers are new.
    await story.restart("kill");
    await story.push({ "clicks_total;button=ask": 5000, "clicks_total;button=show": 1 });
    await story.pushFor(PUSH_SECONDS, births("page"));
    await assertExact();
    await assertExact(); // after two more scrapes: what was counted twice would show by now

    const lags = [];
    for (const life of story.lives) {
      const scrapes = [await story.scrapes(FIRST, life), await story.scrapes(SECOND, life)];
      if (!tookTurns(...scrapes)) throw new Disturbed("the two did not take turns");
      const between = story.ledger.sent.filter(({ from, to }) =>
        scrapes[0].some(({ at, took }) => at + took < from && scrapes[1].some((later) => to < later.at && later.at < at + 500)));
      if (between.length === 0) throw new Disturbed("nothing was pushed between the two");
      lags.push(medianLag(...scrapes));
      t.diagnostic(`${lags.at(-1)} ms apart, ${between.length} batches counted between the two`);
    }
    if (lags.some((lag) => lag < 20 || lag > 400)) throw new Disturbed(`the two were ${lags} ms apart`);
  }));
