// What a schema declares is checked, through each entry of the package.

import "./generated";

import { increment, init, observe } from "lastmile";
import * as core from "lastmile/core";

init({ url: ["/lm", "https://backup.example/lm"], every: 10, oneIn: 20, skip: ["users"] });

increment("app_loads_total", { app: "student" });
increment("app_loads_total", { app: "teacher" }, 2.5);
increment("plain_total");
increment("plain_total", {});
increment("plain_total", undefined, 3);
observe("page_load_seconds", { page: "/home", "odd-name": "other" }, 0.5);
observe("waited_seconds", {}, 0.5);
core.increment("plain_total");
core.observe("waited_seconds", null, 1);

// @ts-expect-error: no such counter
increment("app_load_total", { app: "student" });
// @ts-expect-error: no such value
increment("app_loads_total", { app: "parent" });
// @ts-expect-error: a label that it has not
increment("app_loads_total", { app: "student", page: "/" });
// @ts-expect-error: a label is missing
increment("app_loads_total", {});
// @ts-expect-error: labels are missing
increment("app_loads_total");
// @ts-expect-error: it has no labels
increment("plain_total", { app: "student" });
// @ts-expect-error: a number is wanted
increment("plain_total", {}, "1");
// @ts-expect-error: it is a histogram
increment("page_load_seconds", { page: "/home", "odd-name": "a" });
// @ts-expect-error: it is a counter
observe("app_loads_total", { app: "student" }, 1);
// @ts-expect-error: no such value
observe("page_load_seconds", { page: "/home", "odd-name": "c" }, 1);
// @ts-expect-error: a value is wanted
observe("page_load_seconds", { page: "/home", "odd-name": "a" });
// @ts-expect-error: no such value
core.increment("app_loads_total", { app: "parent" });
// @ts-expect-error: nothing of that name is measured
init({ skip: ["everything"] });
