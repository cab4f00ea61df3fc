/** Whether somebody may be looking. A worker has no page to look at. */
export const isSeen = (): boolean => typeof document == "object" && document.visibilityState == "visible";
