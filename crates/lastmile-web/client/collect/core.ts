import type { Collector } from "../instance.js";
import { errors } from "./errors.js";
import { loads, timing, users } from "./page.js";

/** By what `skip` calls them. A worker has no page. */
export const collectors = (): Record<string, Collector> => ({
  errors,
  ...(typeof document == "object" && { loads, navigation: timing, users }),
});
