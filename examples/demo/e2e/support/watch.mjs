// What the tests of a page need beside it: a Prometheus that was there before anybody came, and a browser.

import { startBrowser } from "./browser.mjs";
import { startPrometheus } from "./prometheus.mjs";

/** Starts both, `{ prometheus, browser }`, and has `kept`, a keeper, stop them. */
export const startWatching = async (kept, metricsUrl) => {
  const prometheus = kept.add(await startPrometheus({ page: metricsUrl }));
  // Closed families are there at 0 before anybody came, so that the first click is a rise.
  await prometheus.untilNumber("sum(usage_total) + sum(client_page_loads_total)", 0);
  const browser = await startBrowser();
  kept.add({ stop: () => browser.close() });
  return { prometheus, browser };
};
