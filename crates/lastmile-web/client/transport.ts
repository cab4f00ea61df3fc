// One attempt to hand a body over. It goes as text and without credentials, which needs no preflight.

/** What became of it. */
export interface Outcome {
  /** 0: nobody answered. */
  status: number;
  isJson?: boolean;
  retryAfter?: string | null;
  /** No byte of it left: it is known not to have arrived. */
  isUnsent?: boolean;
}

/** An answer that takes longer is not waited for. */
const TIMEOUT_MS = 30_000;

const isJson = (type: string | null): boolean => /json/.test(type || "");

/** Whoever a redirect leads to may not know what a batch is, so its refusal is none. */
const trusted = (status: number, isElsewhere: boolean): number => (isElsewhere && status >= 400 ? 0 : status);

const canOutlive = (): boolean => typeof Request == "function" && "keepalive" in Request.prototype;

/**
 * By `fetch`, which outlives the page, or as a beacon where it does not. `undefined`: nobody will tell. `onUpload` is
 * called once somebody may have it.
 */
export const hand = async (url: string, body: string, isLast: boolean, onUpload: () => void): Promise<Outcome | undefined> => {
  const beacon = (): Outcome | undefined => {
    const isTaken = isLast && navigator.sendBeacon && navigator.sendBeacon(url, body);
    if (isTaken) onUpload();
    return isTaken ? undefined : { status: 0, isUnsent: true };
  };
  if (isLast && !canOutlive()) return beacon();
  try {
    const answer = fetch(url, {
      method: "POST",
      body,
      keepalive: true,
      credentials: "omit",
      priority: "low",
      // A page that goes cannot wait, and the request goes on without it; but it may come back.
      signal: AbortSignal.timeout?.(TIMEOUT_MS),
    });
    onUpload();
    return answer.then(
      ({ status, redirected, headers }) => ({ status: trusted(status, redirected), isJson: isJson(headers.get("content-type")), retryAfter: headers.get("retry-after") }),
      () => ({ status: 0 }),
    );
  } catch {
    return beacon();
  }
};

/**
 * The same, so that it is known whether a byte left, which `fetch` does not tell: whoever may have it must be the one
 * that is asked again. Another origin is asked for permission first, once in the time that it allows.
 */
export const handWatched = (url: string, body: string, _: boolean, onUpload: () => void): Promise<Outcome> =>
  new Promise((resolve) => {
    const request = new XMLHttpRequest();
    // Against the base that the browser takes, which a frame without an address of its own has from its parent.
    const asked = new Request(url).url;
    let isUnsent = true;
    const uploaded = ({ loaded }: { loaded: number }): void => {
      if (loaded) onUpload(), (isUnsent = false);
    };
    request.upload.onprogress = request.upload.onload = uploaded;
    request.onloadend = () => {
      const { status, responseURL } = request;
      const header = (name: string): string | null => (status ? request.getResponseHeader(name) : null);
      if (status) uploaded({ loaded: 1 });
      resolve({ status: trusted(status, responseURL != asked), isUnsent, isJson: isJson(header("content-type")), retryAfter: header("retry-after") });
    };
    request.open("POST", url);
    request.setRequestHeader("Content-Type", "text/plain;charset=UTF-8");
    request.timeout = TIMEOUT_MS;
    request.send(body);
  });
