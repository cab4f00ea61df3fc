// As `lastmile-aggregator types` writes it.

/** What `increment` takes: the labels of each counter. */
export interface Counters {
  /** App loads. */
  app_loads_total: { app: "student" | "teacher" };
  plain_total: Record<string, never>;
}

/** What `observe` takes: the labels of each histogram and summary. */
export interface Observed {
  page_load_seconds: { page: string; "odd-name": "a" | "b" | "other" };
  waited_seconds: Record<string, never>;
}

export type CounterName = "app_loads_total" | "plain_total";

declare module "lastmile" {
  interface Metrics {
    counters: Counters;
    observed: Observed;
  }
}
