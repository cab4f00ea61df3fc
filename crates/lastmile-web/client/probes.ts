// What the page depends on and others run: whether it can be reached from where the page is.

import type { Instance } from "./instance.js";
import { isSeen } from "./seen.js";

const PING_TIMEOUT_MS = 10_000;
/** With a longer time a timer does not wait at all: browsers keep it as 31 bits of milliseconds. */
const TIMER_SECS_MAX = 2_147_483;

/** For a timer. Nobody is asked more than once a second, whatever a page says. */
const timerMs = (secs: number | undefined, otherwise: number): number =>
  Math.min(Math.max(Number(secs) || otherwise, 1), TIMER_SECS_MAX) * 1e3;

const isAsked = (): boolean => isSeen() && navigator.onLine !== false;

const secsSince = (from: number): number => (performance.now() - from) / 1e3;

/**
 * Asks for `url` again and again while the page is seen, and observes how long the answer took. What it says is nobody's
 * business here: no cookie is sent, and anyone may be asked.
 */
export const ping = (target: string, url: string, everySecs: number | undefined, by: Instance): void =>
  by.run((to) => {
    let current: AbortController | undefined;
    const once = (): void => {
      if (current || !isAsked()) return;
      const mine = (current = new AbortController());
      const late = setTimeout(() => mine.abort(), PING_TIMEOUT_MS);
      const from = performance.now();
      const ended = (then: () => void) => (): void => {
        clearTimeout(late);
        if (current != mine) return;
        current = undefined;
        // What fails because this side has no network says nothing of the other.
        if (isAsked()) then();
      };
      fetch(url, { mode: "no-cors", cache: "no-store", credentials: "omit", signal: mine.signal }).then(
        ended(() => to.observe("client_ping_seconds", { target }, secsSince(from))),
        ended(() => to.increment("client_ping_failures_total", { target, reason: mine.signal.aborted ? "timeout" : "error" })),
      );
    };
    const drop = (): void => {
      const dropped = current;
      current = undefined;
      dropped?.abort();
    };
    const timer = setInterval(once, timerMs(everySecs, 60));
    to.on("leave", drop);
    to.on("stop", () => {
      clearInterval(timer);
      drop();
    });
    once();
  }, "ping " + target + " " + url);

/**
 * Opens a WebSocket and holds it, to learn whether one could: nothing is sent. It closes as the page goes, which may then
 * be kept for going back, and opens again as it comes back.
 */
export const ws = (target: string, url: string, holdSecs: number | undefined, by: Instance): void =>
  by.run((to) => {
    let leave: ((code?: string) => void) | undefined; // while there is one

    const open = (): void => {
      const result = (result: string): void => to.increment("client_websocket_total", { target, result });
      const from = performance.now();
      let openedAt = 0;
      let socket: WebSocket;
      try {
        socket = new WebSocket(url);
      } catch {
        return result("blocked");
      }
      const end = (code: number | string): void => {
        if (!leave) return;
        leave = undefined;
        clearTimeout(held);
        if (openedAt) to.observe("client_websocket_lifetime_seconds", { target }, secsSince(openedAt));
        else result("failed");
        to.increment("client_websocket_close_total", { target, code });
      };
      const mine = (leave = (code) => {
        // One that is still to open has not failed.
        if (code && openedAt) end(code);
        leave = undefined;
        clearTimeout(held);
        socket.onopen = socket.onclose = null;
        socket.close();
      });
      const held = setTimeout(() => mine("held"), timerMs(holdSecs, 3600));
      socket.onopen = () => {
        openedAt = performance.now();
        result("open");
        to.observe("client_websocket_open_seconds", { target }, secsSince(from));
      };
      socket.onclose = ({ code }) => end(code);
    };

    to.on("away", () => leave?.("page_left"));
    to.on("restored", () => leave || open());
    to.on("stop", () => leave?.());
    open();
  });
