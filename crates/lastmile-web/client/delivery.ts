// Batches on their way. What was measured becomes a line of text under an id when it is about to be sent. Nothing can
// tell the page that a line did not arrive, so it is sent again as it is until somebody answers that it was taken, and
// the server counts each id once, for longer than a line is kept here.

import { addAll, increment, line, type Measured, nothing } from "./measured.js";
import { isSeen } from "./seen.js";
import { hand, handWatched, type Outcome } from "./transport.js";

/** In one body. The server takes no more. */
const LINES_MAX = 16;
/** A batch that is longer is closed early. */
const BATCH_BYTES_MAX = 8_000;
/** All lines without an answer: two copies of them fit into what may outlive a page. */
const WAITING_BYTES_MAX = 28_000;
/** Source: Fetch, §4.6, keepalive requests in flight hold 64 KiB at most; other scripts have some, too. */
const FLYING_BYTES_MAX = 60_000;
/** Since a line may first have arrived: the server knows an id for 10 minutes. */
const AGE_MAX_MS = 300_000;
const BACK_OFF_MAX_MS = 120_000;
/** And why: the start of a series' name. */
export const DROPPED = "client_dropped_total;reason=";
/** These say that it will never be taken. */
const REFUSALS = [400, 401, 403, 404, 413, 415];

interface Moment {
  page: number;
  wall: number;
}

interface Line {
  readonly text: string;
  readonly bytes: number;
  /** Since when, and by which of the URLs, somebody may have it. */
  at?: Moment;
  to?: number;
  /** Attempts that have no answer. */
  copies: number;
  /** By which URL the last of them went. */
  via?: number;
  /** Sent as the page was left. */
  isLast?: boolean;
  /** What it says of lines before it that were given up. If it is given up itself, the next one says so. */
  readonly dropped: [key: string, n: number][];
}

interface Armed {
  readonly result: { readonly activated: boolean };
  readonly abort: AbortController;
  readonly at: Moment;
  readonly measured: Measured;
  readonly line?: Line;
  readonly others: Line[];
  readonly to: number;
}

export interface Delivery {
  /** Where to count. It is another one after each batch. */
  measured(): Measured;
  /** Sends what there is, unless an answer is still awaited or was that it is too early. */
  flush(): void;
  /** The same as the page goes, perhaps for good. */
  leave(): void;
  /** The page is seen again. */
  back(): void;
  /** Leaves what there is with the browser, which sends it should the page crash. */
  arm(): void;
  /** Closes a batch that has become long. */
  check(): void;
  /** Nothing more is sent until it is to go on: then what waited is, too. */
  stop(): void;
  goOn(): void;
}

const moment = (): Moment => ({ page: performance.now(), wall: Date.now() });

// A page's clock may stand while its computer sleeps, and a wall clock may be set: the one that says more is believed.
const isOld = ({ at }: Line): boolean => {
  if (!at) return false;
  const now = moment();
  return Math.max(now.page - at.page, now.wall - at.wall) > AGE_MAX_MS;
};

const total = (lines: Line[]): number => lines.reduce((sum, { bytes }) => sum + bytes, 0);

const bodyOf = (lines: Line[]): string => lines.map(({ text }) => text).join("\n");

/** `Retry-After`, seconds or a date, as 1 to 600 seconds. */
const retryMs = (header?: string | null): number => {
  const ms = header ? (Number(header) || (Date.parse(header) - Date.now()) / 1e3) * 1e3 : NaN;
  return Math.min(Math.max(ms, 1_000), 600_000);
};

/** Of text as UTF-8. To encode it costs as much as to write it, and it seldom has more bytes than characters. */
const bytesOf = (text: string): number => (/[^\0-\x7f]/.test(text) ? new TextEncoder().encode(text) : text).length;

/** `write` is what writes a batch. */
export const delivery = (urls: string[], everyMs: number, weight: number, measured: Measured, write = line): Delivery => {
  // Each replica of a server counts for itself, so all attempts of a page view name the same one.
  const shard = "s=" + Math.floor(Math.random() * 256);
  const address = (to: number): string => urls[to]! + (urls[to]!.includes("?") ? "&" : "?") + shard;

  let lines: Line[] = []; // without an answer, the oldest first
  let armed: Armed | undefined;
  let current = 0; // of the URLs
  let unreached = 0; // of them, one after the other
  let flying = 0; // bytes
  let sending = 0; // bodies whose answer is awaited before the next
  let failures = 0; // one after the other
  let notBefore = 0;
  let isStopped = false;

  // --- Lines ---

  const forget = (gone: Line[], reason?: string): void => {
    const given = reason ? lines.filter((line) => gone.includes(line)) : [];
    lines = lines.filter((line) => !gone.includes(line));
    given.forEach(({ dropped }) => {
      [...dropped, [DROPPED + reason, 1] as const].forEach(([key, n]) => increment(measured, key, n));
    });
  };

  const trim = (): void => {
    forget(lines.filter((line) => !line.copies && isOld(line)), "expired");
    let from = 0;
    while (total(lines.slice(from)) > WAITING_BYTES_MAX) from++;
    forget(lines.slice(0, from), "overflow");
  };

  const lineOf = (from: Measured): Line | undefined => {
    if (!from.sums.size && !from.counts.size) return;
    const text = write(from, weight);
    const dropped: [string, number][] = [];
    from.sums.forEach((n, key) => key.startsWith(DROPPED) && dropped.push([key, n]));
    return { text, bytes: bytesOf(text) + 1, copies: 0, dropped };
  };

  const close = (): void => {
    disarm();
    const closed = lineOf(measured);
    if (closed) {
      lines.push(closed);
      measured = nothing();
    }
    trim();
  };

  // --- Sending ---

  const mayBeThere = (batch: Line[], at: Moment, to: number): void =>
    batch.forEach((line) => {
      line.at ||= at;
      line.to ??= to;
    });

  const post = (batch: Line[], to: number, isLast: boolean): void => {
    const at = moment();
    const bytes = total(batch);
    flying += bytes;
    batch.forEach((line) => {
      line.copies++;
      line.via = to;
      line.isLast ||= isLast;
    });
    if (!isLast) sending++;
    // A second URL gets only what the first surely has not.
    const by = urls.length > 1 && !isLast && typeof XMLHttpRequest == "function" ? handWatched : hand;
    const ended = (outcome?: Outcome): void => {
      flying -= bytes;
      batch.forEach((line) => line.copies--);
      if (!isLast) sending--;
      if (outcome) settle(batch, to, outcome);
    };
    // To what is no address nothing can be sent.
    by(address(to), bodyOf(batch), isLast, () => mayBeThere(batch, at, to)).then(ended, () => ended({ status: 0, isUnsent: true }));
  };

  const settle = (batch: Line[], to: number, { status, isJson, isUnsent, retryAfter }: Outcome): void => {
    if (status == 204 || (status == 200 && isJson)) {
      forget(batch);
      failures = unreached = notBefore = 0;
      return;
    }
    // What says so may be refused, too. A server that refuses all hears of it more and more seldom.
    if (REFUSALS.includes(status)) forget(batch, "refused");
    if (isUnsent && to == current) {
      current = (to + 1) % urls.length;
      if (++unreached < urls.length) return flush();
    }
    unreached = 0;
    const backOffMs = Math.random() * Math.min(everyMs * 2 ** ++failures, BACK_OFF_MAX_MS);
    notBefore = performance.now() + (retryMs(retryAfter) || backOffMs);
  };

  const send = (wanted: Line[], isLast: boolean): void => {
    urls.forEach((_, to) => {
      const there = wanted.filter((line) => (line.to ?? (line.copies ? line.via : current)) == to);
      for (let from = 0; from < there.length; from += LINES_MAX) post(there.slice(from, from + LINES_MAX), to, isLast);
    });
  };

  const isOffline = (): boolean => navigator.onLine === false;

  const flush = (): void => {
    // Until it can be sent, all goes into one batch.
    if (isStopped || sending || isOffline() || performance.now() < notBefore) return;
    close();
    send(lines.filter(({ copies }) => !copies), false);
  };

  const leave = (): void => {
    if (isStopped) return;
    close();
    if (isOffline()) return;
    // The answer to what is under way will not be heard, so it goes once more; but first what never went.
    const underWay = lines.filter((line) => line.copies > 0 && !line.isLast && !isOld(line));
    send(lines.filter(({ copies }) => !copies), true);
    if (underWay.length && flying + total(underWay) <= FLYING_BYTES_MAX) send(underWay, true);
  };

  // --- Should the page crash ---

  const disarm = (): void => {
    if (!armed) return;
    const { result, abort, at, to, others, line } = armed;
    const held = armed.measured;
    armed = undefined;
    if (result.activated) {
      // It went, as the page lay in the cache for going back. It is asked about under its own id.
      if (line) lines.push(line);
      mayBeThere(line ? [...others, line] : others, at, to);
    } else {
      abort.abort();
      addAll(measured, held);
    }
  };

  const arm = (): void => {
    if (isStopped || typeof fetchLater != "function") return;
    // What was armed and what is new. There may be nothing new.
    if (armed && !armed.result.activated && !measured.sums.size && !measured.counts.size) return;
    disarm();
    const fresh = lineOf(measured);
    // A page that nobody sees may be frozen, and what somebody has by now be old when the browser sends it, so that stays.
    const goes = ({ copies, at, to }: Line): boolean => !copies && (!at || (to == current && isSeen()));
    const others = lines.filter(goes).slice(1 - LINES_MAX);
    const body = fresh ? [...others, fresh] : others;
    if (!body.length) return;
    const abort = new AbortController();
    try {
      const result = fetchLater(address(current), { method: "POST", body: bodyOf(body), credentials: "omit", signal: abort.signal });
      armed = { result, abort, at: moment(), measured, others, to: current, ...(fresh && { line: fresh }) };
      measured = nothing();
    } catch {
      // Others have used what a page may leave, or the browser wants https.
    }
  };

  return {
    measured: () => measured,
    flush,
    leave,
    arm,
    back: () => {
      lines.forEach((line) => (line.isLast = false));
      flush();
    },
    check: () => {
      if (measured.bytes > BATCH_BYTES_MAX) close();
    },
    stop: () => {
      disarm();
      isStopped = true;
    },
    goOn: () => {
      isStopped = false;
    },
  };
};
