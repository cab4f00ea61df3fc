/** lastmile for browsers: counts what a page does and how it does for whoever looks at it, and sends sums. */

import { collectors } from "./collect/all.js";
import { shared } from "./instance.js";
import * as probes from "./probes.js";
import type { Options } from "./types.js";

export { flush, increment, observe, page, start, stop } from "./core.js";
export type * from "./types.js";

/**
 * Starts measuring this page. What was counted before is sent, too. Of all that is called on a page the first counts;
 * after `stop()` it starts again.
 */
export const init = (options: Options = {}): void => shared().begin(options, collectors(), true);

/**
 * Asks for `url` every so many seconds (60, at least 1) while the page is seen: `client_ping_seconds{target}`, or
 * `client_ping_failures_total{target,reason}`.
 */
export const ping = (target: string, url: string, everySecs?: number): void => probes.ping(target, url, everySecs, shared());

/**
 * Opens a WebSocket and holds it for so many seconds (3,600), to learn whether one could:
 * `client_websocket_total{target,result}` and what became of it.
 */
export const ws = (target: string, url: string, holdSecs?: number): void => probes.ws(target, url, holdSecs, shared());
