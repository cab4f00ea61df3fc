// What sends, in a world that is told of each line as it is written.

import { load } from "./load.mjs";

/** Sends from this page to these addresses, so often. Gives what sends, and what counts into it. */
export const delivering = (page, urls, everyMs) => {
  const { delivery, nothing, increment, line } = load(["delivery", "measured"], page.globals);
  const write = (...batch) => page.written(line(...batch));
  return { it: delivery(urls, everyMs, 1, nothing(), write), increment };
};
