import type { Instance } from "../instance.js";

/** Errors by kind. What they say, and where, is nobody's business. */
export const errors = (to: Instance): void => {
  const count = (kind: string): void => to.increment("client_errors_total", { kind });
  // As it captures, since what fails to load says so to nobody else.
  to.listen(self, "error", ({ target }: Event) => {
    const { tagName } = (target || {}) as Element;
    count(tagName ? "resource_" + tagName.toLowerCase() : "js");
  }, true);
  to.listen(self, "unhandledrejection", () => count("rejection"));
};
