/** lastmile for browsers, without web vitals and probes: see `./index.ts` for both. */
import type { CounterName, IncrementArgs, ObservedLabels, ObservedName, Options } from "./types.js";
export type * from "./types.js";
/**
 * Starts measuring this page. What was counted before is sent, too. Of all that is called on a page the first counts;
 * after `stop()` it starts again.
 */
export declare const init: (options?: Options) => void;
/** Starts what waits for it (`manual`), or was stopped. */
export declare const start: () => void;
/** Ends all measuring. Nothing is sent any more; what was not sent waits in case it is started again. */
export declare const stop: () => void;
/** Adds to a counter: 1, or any number from 0. */
export declare const increment: <Name extends CounterName>(name: Name, ...[labels, by]: IncrementArgs<Name>) => void;
/** Observes a value, from 0, of a histogram or summary. Three digits of it are kept. */
export declare const observe: <Name extends ObservedName>(name: Name, labels: ObservedLabels<Name>, value: number) => void;
/** Sends what there is now, unless the server said that it is too early. */
export declare const flush: () => void;
/**
 * Says what the page is called now: a route as its router writes it (`/users/:id`), not the path that somebody looks at.
 * Web vitals belong to the page that the navigation started with.
 */
export declare const page: (template: string) => void;
