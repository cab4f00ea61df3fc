// One on a page, whatever brings it there and however often: what loads second finds the first.

import { type Delivery, delivery, DROPPED } from "./delivery.js";
import { increment, type Measured, nothing, observe, seriesKey } from "./measured.js";
import { template } from "./path.js";
import { isSeen } from "./seen.js";
import type { Labels, Options, Skipped } from "./types.js";

/** Measures something, from when it is called: as measuring starts, and again if it is stopped and started again. */
export type Collector = (to: Instance, options: Options) => void;

/**
 * `beat`: about once a second. `leave`: the page is hidden or goes. `away`: it goes. `back`: it is seen. `restored`: it
 * comes out of the cache for going back, as a page view of its own. `stop`: all that was set up has to go.
 */
export type Event = "beat" | "leave" | "away" | "back" | "restored" | "stop";

/** What collectors and entries use. Another build's may be the one on the page, so its names stay. */
export interface Instance {
  increment(name: string, labels?: Labels | null, by?: number): void;
  observe(name: string, labels: Labels | null | undefined, value: number): void;
  flush(): void;
  page(template: string): void;
  start(): void;
  stop(): void;
  /**
   * What `init` does. The options of the first count, and each collector is there once, whoever brings it. `isAgain` starts
   * what was stopped.
   */
  begin(options: Options, collectors: Record<string, Collector>, isAgain?: boolean): void;
  /** Calls it now if measuring has started, and whenever else it starts. Of a name the first counts. */
  run(collector: Collector, name?: string): void;
  /** Calls back until it is stopped. */
  on(event: Event, then: () => void): void;
  /** Listens until it is stopped. */
  listen(to: EventTarget, type: string, then: (event: never) => void, capture?: boolean): void;
  /** What the page was called as its navigation started. */
  startPage(): string;
}

const KEY = Symbol.for("lastmile");
const BEAT_MS = 1_000;
/** Before it has begun. Later a batch is closed, and the oldest one goes. Either is said. */
const HELD_BYTES_MAX = 28_000;
/** However often it is added it stays a number, which a line that holds `Infinity` is not: it would be refused whole. */
const VALUE_MAX = 1e290;

/** Whether there is anything to measure, which there is not where pages are rendered for browsers. */
const isBrowser = (): boolean =>
  // Some servers call themselves workers, but have no address.
  typeof document == "object" || (typeof WorkerGlobalScope == "function" && typeof location == "object");

/** Of the page. Elements can hide `document.URL`, and a page's own variable `URL`, but nothing hides this. */
const path = (): string => (typeof location == "object" ? location.pathname : "");

const create = (): Instance => {
  let isStopped = false;
  let isUnwanted = !isBrowser(); // or by privacy, or as this page view is none of the sample
  let held = nothing(); // what was counted before it started
  let sending: Delivery | undefined; // once it has
  let isOn = false;
  let options: Options | undefined;
  let callbacks: { [event in Event]?: (() => void)[] } = {};
  let due = 0;
  let startPath = "";
  let startPage: string | undefined; // by name; else by path
  let named: string | undefined;
  const collectors: Collector[] = [];
  const names: string[] = []; // of those that are there once

  /** Where to count, if anywhere. */
  const measured = (): Measured | undefined => {
    sending?.check();
    if (sending) return sending.measured();
    if (held.bytes < HELD_BYTES_MAX) return held;
    // All that comes then is as one batch that was given up.
    held.sums.set(DROPPED + "overflow", 1);
  };

  const count = (add: typeof increment, name: string, labels: Labels | null | undefined, value: number): void => {
    if (typeof value != "number" || !(value >= 0 && value < VALUE_MAX)) return console.warn("lastmile: not a number from 0:", name, value);
    if (isUnwanted || isStopped) return;
    // First, since what makes a label's text may itself count, or send.
    const key = seriesKey(name, labels);
    const to = measured();
    if (to) add(to, key, value);
  };

  const emit = (event: Event): void => callbacks[event]?.forEach((then) => then());

  const everyMs = (): number => options!.every! * 1e3;

  const beat = (): void => {
    emit("beat");
    if (performance.now() >= due) {
      // A little early or late each time, so that ten thousand pages do not send at one moment.
      due = performance.now() + everyMs() * (0.8 + 0.4 * Math.random());
      sending!.flush();
    }
    sending!.arm();
  };

  const navigated = (): void => {
    startPath = path();
    startPage = named;
  };

  const leave = (): void => {
    emit("leave");
    sending!.leave();
  };

  const back = (): void => {
    emit("back");
    sending!.back();
  };

  const start = (): void => {
    if (isOn || !options || isUnwanted) return;
    isStopped = false;
    // A page that is made ready before anyone asks for it is measured once somebody does.
    if (typeof document == "object" && document.prerendering) {
      return document.addEventListener("prerenderingchange", () => isStopped || start(), { once: true });
    }
    isOn = true;
    sending ??= delivery(([] as string[]).concat(options.url || "/lm"), everyMs(), options.oneIn!, held);
    sending.goOn();
    held = nothing();
    due = performance.now() + BEAT_MS * (0.5 + Math.random());
    const timer = setInterval(beat, BEAT_MS);
    instance.on("stop", () => clearInterval(timer));
    // On the window, and not as it captures: who measures until a page is hidden has done so then.
    instance.listen(self, "visibilitychange", () => (isSeen() ? back() : leave()));
    instance.listen(self, "pagehide", () => {
      emit("away");
      // Where the browser could send what is armed, it also says that the page is hidden, and web vitals wait for that.
      if (!isSeen() || typeof fetchLater != "function") leave();
    });
    instance.listen(self, "pageshow", ({ persisted }: PageTransitionEvent) => {
      if (!persisted) return;
      navigated();
      emit("restored");
      back();
    });
    instance.listen(self, "online", () => sending!.flush());
    collectors.forEach((collector) => collector(instance, options!));
  };

  const instance: Instance = {
    increment: (name, labels, by = 1) => count(increment, name, labels, by),
    observe: (name, labels, value) => count(observe, name, labels, value),
    flush: () => {
      emit("beat");
      sending?.flush();
    },
    page: (name) => {
      if (!name) return; // as a router may not know it
      named = template(name);
      if (path() == startPath) startPage = named;
    },
    start,
    stop: () => {
      isStopped = true;
      held = nothing();
      emit("stop");
      callbacks = {};
      sending?.stop();
      isOn = false;
    },
    begin: (given, more, isAgain) => {
      const isFirst = !options;
      if (isFirst) {
        const every = Math.max(Number(given.every) || 10, 1);
        const oneIn = Math.min(Math.max(Math.round(given.oneIn || 1), 1), 1_000);
        options = { ...given, every, oneIn };
        isUnwanted ||= (given.gpc !== false && !!navigator.globalPrivacyControl) || Math.random() * oneIn >= 1;
        if (given.page) named = template(given.page);
        navigated();
      }
      const { manual, skip = [] } = options!;
      Object.keys(more).forEach((name) => {
        if (!skip.includes(name as Skipped)) instance.run(more[name]!, name);
      });
      if ((isFirst || isAgain) && !manual) start();
    },
    run: (collector, name = "") => {
      if (isUnwanted || (name && names.includes(name))) return;
      names.push(name);
      collectors.push(collector);
      if (isOn) collector(instance, options!);
    },
    on: (event, then) => (callbacks[event] ??= []).push(then),
    listen: (to, type, then, capture) => {
      to.addEventListener(type, then as EventListener, capture);
      instance.on("stop", () => to.removeEventListener(type, then as EventListener, capture));
    },
    startPage: () => startPage ?? template(startPath),
  };
  return instance;
};

const home = globalThis as { [KEY]?: Instance };

/** The page's. */
export const shared = (): Instance => (home[KEY] ??= create());
