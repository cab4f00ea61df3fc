// As a classic script: a function by a name of the page's choice, whose first argument says what to do. A page may have
// made one that only notes what it is called with, as the snippet of prometheus-user-metrics does, so that it need not
// wait for this script.

import { type Collector, shared } from "./instance.js";
import type { Options, Skipped } from "./types.js";

type Call = (...args: never[]) => unknown;

/** What a page may have put in place: the calls in `q`, and where its server is. */
interface Stub {
  q?: ArrayLike<never>[];
  aggregatorServerRoot?: string;
  everySecs?: number;
}

const numberOf = (text?: string): number | undefined => Number(text) || undefined;

/** Where a script of ours is served from. */
const rootOf = (src: string): string => {
  const path = src.split("#")[0]!.split("?")[0]!;
  const folder = path.slice(0, path.lastIndexOf("/"));
  return folder.endsWith("/static") ? folder.slice(0, -7) : folder;
};

/**
 * Measures by what the tag says, `data-url="/lm https://backup.example/lm"` and the other options likewise, and takes
 * over `window[name]`.
 */
export const install = (defaultName: string, collectors: Record<string, Collector>, calls: Record<string, Call>): void => {
  // Not an element of that name, which hides it and may be anybody's.
  const script = typeof document == "object" && document.currentScript;
  const { dataset, src = "" } = (script && script.localName == "script" ? script : {}) as Partial<HTMLScriptElement>;
  const data: DOMStringMap = { ...dataset }; // as to ask an element for what it has not costs as much as for what it has
  const home = self as unknown as Record<string, (Stub & Call) | undefined> & { PrometheusAggregatorObjectName?: string };
  const name = data.name || home.PrometheusAggregatorObjectName || defaultName;
  const stub = home[name];
  const root = stub?.aggregatorServerRoot;
  const it = shared();
  const has = (option: string): boolean => option in data && data[option] != "false";
  const options: Options = {
    // Beside the script, where nothing else is said.
    url: data.url?.match(/\S+/g) || (root ?? rootOf(src)) + "/lm",
    every: numberOf(data.every) || stub?.everySecs,
    oneIn: numberOf(data.oneIn),
    page: data.page,
    manual: has("manual"),
    gpc: data.gpc != "false",
    softNavigations: has("softNavigations"),
    skip: (data.skip?.match(/\S+/g) || []) as Skipped[],
  };
  const all: Record<string, Call> = { ...(it as object), ...calls };
  // A wrong call is told, and harms neither the page nor the calls after it.
  const call = (what: string, ...args: never[]): unknown => {
    try {
      return all[what]!(...args);
    } catch (error) {
      return console.warn("lastmile: cannot", what, error);
    }
  };
  it.begin(options, collectors);
  home[name] = call as unknown as Stub & Call;
  Array.from(stub?.q || []).forEach((args) => call(...(Array.from(args) as unknown as [string])));
};
