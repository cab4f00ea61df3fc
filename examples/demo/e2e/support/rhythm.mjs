// Whether a Prometheus kept its rhythm. The aggregator promises a reader every increment as long as its
// gaps stay below 1.5 times the longest before (`crates/lastmile/src/readers.rs`); a busy machine can
// delay a scrape by more, and what is lost then proves nothing.

/** The aggregator counts time in tenths of a second. */
const TICK_MILLIS = 100;

/** The scrapes that lie within one of the aggregator's lives, `{ from, to }`. */
export const within = (scrapes, { from, to = Infinity }) =>
  scrapes.filter(({ at, took }) => at >= from && at + took <= to);

/**
 * What may have put the reader of these scrapes out of its rhythm; undefined if nothing did. A request
 * arrives between a scrape's start and its end, so each gap is known within bounds.
 */
export const disturbance = (scrapes, lives) => {
  for (const life of lives) {
    let longest;
    let before;
    for (const scrape of within(scrapes, life)) {
      if (!scrape.up) return `a scrape failed after ${Math.round(scrape.took)} ms`;
      if (before) {
        const atLeast = scrape.at - before.at - before.took - TICK_MILLIS;
        const atMost = scrape.at + scrape.took - before.at + TICK_MILLIS;
        if (atMost > 1.5 * longest) return `a gap of up to ${Math.round(atMost)} ms after ${Math.round(longest)}`;
        longest = Math.max(longest ?? 0, atLeast);
      }
      before = scrape;
    }
  }
  return undefined;
};

/** By how many milliseconds the second reader came after the first one, in the median. */
export const medianLag = (first, second) => {
  const lags = second.map(({ at }) => at - Math.max(...first.map((scrape) => scrape.at).filter((other) => other <= at)));
  return lags.filter(Number.isFinite).sort((a, b) => a - b)[Math.floor(lags.length / 2)];
};

/** Whether the first few scrapes of two readers took turns, each over before the next began. */
export const tookTurns = (first, second) => {
  const from = (reader) => (scrape) => ({ ...scrape, reader });
  const all = [...first.map(from(1)), ...second.map(from(2))].sort((a, b) => a.at - b.at).slice(0, 6);
  return all.every(({ reader, at, took }, i) => {
    const next = all[i + 1];
    return !next || (next.reader !== reader && at + took < next.at);
  });
};
