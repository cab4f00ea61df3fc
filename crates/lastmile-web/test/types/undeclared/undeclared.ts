// Without a schema's types any name goes, and any labels.

import { increment, observe } from "lastmile";

increment("any_total");
increment("any_total", null, 2);
increment("any_total", { text: "a", n: 1, is: true });
observe("any_seconds", { page: "/" }, 1);
observe("any_seconds", null, 1);

// @ts-expect-error: a label is no object
increment("any_total", { page: {} });
// @ts-expect-error: a value is wanted
observe("any_seconds", {});
