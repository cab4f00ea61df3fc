import { type MetricType, onCLS, onFCP, onINP, onLCP, onTTFB } from "web-vitals";

import type { Instance } from "../instance.js";
import { disconnectAll } from "../observers.js";
import { isBackground } from "./page.js";

// A histogram cannot take a value back, so the first word counts: as the page was first hidden. Going back to a page
// begins anew, under another id.
const told = new Set<string>();

export const vitals = (to: Instance): void => {
  if (isBackground()) return;
  let isOver = false; // the library goes on listening, with what it had seen by then
  const observe = ({ name, value, id, navigationType }: MetricType): void => {
    const key = navigationType == "back-forward-cache" ? id : name;
    if (isOver || told.has(key)) return;
    told.add(key);
    const page = to.startPage();
    if (name == "CLS") to.observe("client_layout_shift", { page }, value);
    else to.observe("client_web_vital_seconds", { name, page }, value / 1e3);
  };
  [onCLS, onFCP, onINP, onLCP, onTTFB].forEach((on) => on(observe));
  to.on("stop", () => {
    isOver = true;
    disconnectAll();
  });
};
