// For pages that were written for prometheus-user-metrics: what its script measured, and nothing else, as its servers'
// schemas know nothing else.

import { onceLoaded } from "../collect/loaded.js";
import type { Instance } from "../instance.js";
import { install } from "../tag.js";

let isTimed = false;

/** Each moment of the page's load, in seconds since it began, once it has ended. */
const timing = (to: Instance): void => {
  const observe = (): void => {
    if (isTimed) return;
    isTimed = true;
    const moments = performance.timing as unknown as Record<string, number>;
    const { navigationStart = 0 } = moments;
    for (const moment in moments) {
      const secs = (moments[moment]! - navigationStart) / 1e3;
      // A moment that did not come is 0.
      if (secs >= 0) to.observe("performance_timing_" + moment, null, secs);
    }
  };
  onceLoaded(to, observe);
};

install("prometheusAggregator", { timing }, {});
