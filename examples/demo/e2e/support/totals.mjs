// What an aggregator has counted, added up.

import { samples, scrape } from "./aggregator.mjs";
import { until } from "./processes.mjs";

/** `{ sum(…), value(series), untilSum(…) }` of whoever shows its metrics at `metricsUrl()`, which may change. */
export const totalsAt = (metricsUrl) => {
  const all = async () => samples((await scrape(metricsUrl())).text);
  /** Over a family, or over those of its series that have this in their labels. */
  const sum = async (family, labels = "") => {
    const found = [...(await all())].filter(([series]) => series.split("{")[0] === family && series.includes(labels, family.length));
    return found.reduce((sum, [, value]) => sum + value, 0);
  };
  /** Waits until that sum is so much. */
  const untilSum = async (wanted, family, labels) => {
    let last;
    const look = async () => {
      last = await sum(family, labels);
      return Math.abs(last - wanted) < 1e-9 * Math.max(1, wanted) || undefined;
    };
    await until(`${family} ${labels ?? ""} is ${wanted}`, look).catch((error) => {
      throw new Error(`${error.message}: it is ${last}`);
    });
  };
  return { sum, untilSum, value: async (series) => (await all()).get(series) };
};
