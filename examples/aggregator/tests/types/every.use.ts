// What a page may write with `every.ts` beside it, and what the compiler finds: a line below `@ts-expect-error` that is
// right is an error too.

import { increment, observe } from "lastmile";
import { increment as incrementOfCore } from "lastmile/core";

import type { CounterName, Counters, HistogramName, Observed, SummaryName } from "./every.js";

increment("plain_total");
increment("plain_total", {}, 2);
increment("app_loads_total", { app: "student" });
increment("clicks_total", { device: "phone", area: "other", page: "/users/:id" }, 3);
increment("clicks_total", { device: "other", area: "top", page: location.pathname });
increment("served_total");
increment("mixed_total", { feature: "search" });
incrementOfCore("app_loads_total", { app: "teacher" });
observe("page_load_seconds", { page: "/" }, 0.7);
observe("paint_seconds", {}, 0.1);
observe("response_seconds", { method: "get" }, 0.2);

const counters: CounterName[] = ["plain_total", "app_loads_total", "clicks_total", "served_total", "mixed_total"];
const histograms: HistogramName[] = ["page_load_seconds", "paint_seconds"];
const summaries: SummaryName[] = ["response_seconds"];
const labels: Counters["app_loads_total"] & Observed["page_load_seconds"] = { app: "student", page: "/" };
void [counters, histograms, summaries, labels];

// @ts-expect-error: a name that is not declared
increment("app_load_total", { app: "student" });
// @ts-expect-error: a value that is not listed
increment("app_loads_total", { app: "nobody" });
// @ts-expect-error: of a label that refuses, `other` is none either
increment("app_loads_total", { app: "other" });
// @ts-expect-error: no labels
increment("app_loads_total");
// @ts-expect-error: one label of three
increment("clicks_total", { device: "phone" });
// @ts-expect-error: a label that is not declared
increment("app_loads_total", { app: "student", page: "/" });
// @ts-expect-error: a label where there is none
increment("plain_total", { app: "student" });
// @ts-expect-error: a label that the server sets
increment("mixed_total", { feature: "search", region: "eu" });
// @ts-expect-error: a family of the host
increment("orders_total");
// @ts-expect-error: a histogram
increment("page_load_seconds", { page: "/" });
// @ts-expect-error: a counter
observe("plain_total", {}, 1);
// @ts-expect-error: a gauge
observe("queue_length", { queue: "a" }, 1);
// @ts-expect-error: no value
observe("page_load_seconds", { page: "/" });
// @ts-expect-error: the same in the other entry
incrementOfCore("app_loads_total", { app: "nobody" });
// @ts-expect-error: a name of another type
const mistaken: HistogramName = "response_seconds";
void mistaken;
