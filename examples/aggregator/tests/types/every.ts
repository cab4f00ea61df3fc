// Written by `lastmile-aggregator types` from the server's schema. Do not edit.

/** What `increment` takes: the labels of each counter. */
export interface Counters {
  plain_total: Record<string, never>;
  /** Loads by app: what is not listed is refused. */
  app_loads_total: { app: "student" | "teacher" };
  /** Clicks; what is not listed is `other`. */
  clicks_total: { device: "phone" | "desktop" | "other"; area: "top" | "other"; page: string };
  /** What the server sets, no page sends. */
  served_total: Record<string, never>;
  mixed_total: { feature: string };
}

/** What `observe` takes: the labels of each histogram and summary. */
export interface Observed {
  /** Time until the page was usable. */
  page_load_seconds: { page: string };
  paint_seconds: Record<string, never>;
  response_seconds: { method: "get" | "post" };
}

export type CounterName = "plain_total" | "app_loads_total" | "clicks_total" | "served_total" | "mixed_total";
export type HistogramName = "page_load_seconds" | "paint_seconds";
export type SummaryName = "response_seconds";

declare module "lastmile" {
  interface Metrics {
    counters: Counters;
    observed: Observed;
  }
}
