import type { Collector } from "../instance.js";
import { collectors as ofCore } from "./core.js";
import { frames } from "./frames.js";
import { vitals } from "./vitals.js";

/** By what `skip` calls them. */
export const collectors = (): Record<string, Collector> => ({
  ...ofCore(),
  ...(typeof document == "object" && { vitals, frames }),
});
