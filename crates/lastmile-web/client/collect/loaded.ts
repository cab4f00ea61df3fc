import type { Instance } from "../instance.js";

/** Calls back once the page has loaded and its last moment is known, unless measuring stops before. */
export const onceLoaded = (to: Instance, then: () => void): void => {
  const soon = (): void => {
    const timer = setTimeout(then);
    to.on("stop", () => clearTimeout(timer));
  };
  document.readyState == "complete" ? soon() : to.listen(self, "load", soon);
};
