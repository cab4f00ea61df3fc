/** lastmile for browsers, without web vitals and probes: see `./index.ts` for both. */

import { collectors } from "./collect/core.js";
import { shared } from "./instance.js";
import type { CounterName, IncrementArgs, ObservedLabels, ObservedName, Options } from "./types.js";

export type * from "./types.js";

/**
 * Starts measuring this page. What was counted before is sent, too. Of all that is called on a page the first counts;
 * after `stop()` it starts again.
 */
export const init = (options: Options = {}): void => shared().begin(options, collectors(), true);

/** Starts what waits for it (`manual`), or was stopped. */
export const start = (): void => shared().start();

/** Ends all measuring. Nothing is sent any more; what was not sent waits in case it is started again. */
export const stop = (): void => shared().stop();

/** Adds to a counter: 1, or any number from 0. */
export const increment = <Name extends CounterName>(name: Name, ...[labels, by]: IncrementArgs<Name>): void =>
  shared().increment(name, labels, by);

/** Observes a value, from 0, of a histogram or summary. Three digits of it are kept. */
export const observe = <Name extends ObservedName>(name: Name, labels: ObservedLabels<Name>, value: number): void =>
  shared().observe(name, labels, value);

/** Sends what there is now, unless the server said that it is too early. */
export const flush = (): void => shared().flush();

/**
 * Says what the page is called now: a route as its router writes it (`/users/:id`), not the path that somebody looks at.
 * Web vitals belong to the page that the navigation started with.
 */
export const page = (template: string): void => shared().page(template);
