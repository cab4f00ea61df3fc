// Written by `lastmile-aggregator types` from the server's schema. Do not edit.

/** What `increment` takes: the labels of each counter. */
export interface Counters {
  /** *\/ export const x = 1; /** and a "quote", a \ and *\/*\/ */
  "*/ export const x = 1; /*": { "\"]: 1; x": "\"; export const y = 1; \"" | "back\\slash" | "${y} `" | "" | "'" };
  /** one line and *\/ another and a third */
  "two\nlines": { "tab\u{9}and\u{2028}separator": "\n" | "\u{d}\n" | "\u{2028}" | "\u{1}\u{7f}\u{85}" | "\u{202e}kcab\u{202c}" | "\u{200b}" | "\u{e0041}" | "\u{feff}" };
  /** ünï 日本 😀 */
  "héé 日本 😀": { "ключ": "é" | "😀" | "日本" };
  constructor: { toString: string; constructor: string; new: string };
}

/** What `observe` takes: the labels of each histogram and summary. */
export interface Observed {
  __proto__: { readonly: string; get: string; set: string };
  readonly: Record<string, never>;
  /** @deprecated */
  new: Record<string, never>;
  get: Record<string, never>;
  "1": { "1e3": "1"; "[key: string]": string };
  "1x": { "-": string };
}

export type CounterName = "*/ export const x = 1; /*" | "two\nlines" | "héé 日本 😀" | "constructor";
export type HistogramName = "__proto__" | "readonly" | "new" | "get" | "1" | "1x";
export type SummaryName = never;

declare module "lastmile" {
  interface Metrics {
    counters: Counters;
    observed: Observed;
  }
}
