// What every page view has: a kind of navigation, its times, and seconds in which it was seen.

import type { Instance } from "../instance.js";
import { isSeen } from "../seen.js";
import type { Options } from "../types.js";
import { onceLoaded } from "./loaded.js";

const navigation = (): PerformanceNavigationTiming | undefined =>
  performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming | undefined;

/** Whether the page was hidden as its navigation started, and nobody waited for it. */
export const isBackground = (): boolean => {
  if (navigation()?.activationStart) return false;
  const [first] = performance.getEntriesByType("visibility-state");
  return (first ? first.name : document.visibilityState) == "hidden";
};

// Of this page view. Measuring may be stopped and started again in it.
let isCounted = false;
let isTimed = false;

export const loads = (to: Instance): void => {
  const count = (type: string): void => to.increment("client_page_loads_total", { type });
  if (!isCounted) count(navigation()?.activationStart ? "prerender" : isBackground() ? "background" : navigation()?.type || "navigate");
  isCounted = true;
  to.on("restored", () => count("bfcache"));
};

const PHASES = [
  "fetchStart",
  "domainLookupEnd",
  "connectEnd",
  "requestStart",
  "responseStart",
  "responseEnd",
  "domInteractive",
  "domContentLoadedEventEnd",
  "domComplete",
  "loadEventEnd",
] as const;

/** Times of the page load, once it is over. Browsers let a page in the background wait, so there it says nothing. */
export const timing = (to: Instance): void => {
  const observe = (): void => {
    const entry = navigation();
    if (isTimed || !entry || isBackground()) return;
    isTimed = true;
    PHASES.forEach((phase) =>
      to.observe("client_navigation_seconds", { phase }, Math.max(entry[phase] - (entry.activationStart || 0), 0) / 1e3),
    );
  };
  onceLoaded(to, observe);
};

/** A longer gap between two looks at the clock is sleep. */
const GAP_MS_MAX = 30_000;

/** Seconds in which the page is seen: their rate is how many pages are. */
export const users = (to: Instance, { every = 0 }: Options): void => {
  let wasSeen = false;
  let page = 0;
  let wall = 0;
  const look = (): void => {
    const ms = performance.now() - page;
    const wallMs = Date.now() - wall;
    page += ms;
    wall += wallMs;
    const secs = Math.round(Math.min(ms, every * 2e3)) / 1e3;
    if (wasSeen && secs && ms <= GAP_MS_MAX && wallMs <= GAP_MS_MAX) to.increment("client_user_seconds_total", null, secs);
    wasSeen = isSeen();
  };
  look();
  to.on("beat", look);
  to.on("leave", look);
  to.on("back", () => {
    wasSeen = false; // until now
    look();
  });
};
