import type { Instance } from "../instance.js";
import { disconnectAll, PerformanceObserver } from "../observers.js";
import type { Options } from "../types.js";

let seenUntil = -1; // so that what is told again, as measuring starts again, is not counted again

const each = (type: string, then: (entry: PerformanceEntry) => void): void => {
  if (!PerformanceObserver?.supportedEntryTypes?.includes(type)) return;
  const from = seenUntil;
  new PerformanceObserver((list) =>
    list.getEntries().forEach((entry) => {
      if (entry.startTime <= from) return;
      seenUntil = Math.max(seenUntil, entry.startTime);
      then(entry);
    }),
  ).observe({ type, buffered: true });
};

/** Frames that kept the page from answering, and navigations within the page that the browser noticed. */
export const frames = (to: Instance, { softNavigations }: Options): void => {
  each("long-animation-frame", (entry) =>
    to.observe("client_long_frame_seconds", null, (entry as PerformanceEntry & { blockingDuration: number }).blockingDuration / 1e3),
  );
  if (softNavigations) each("soft-navigation", () => to.increment("client_soft_navigations_total"));
  to.on("stop", disconnectAll);
};
