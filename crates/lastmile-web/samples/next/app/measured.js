"use client";

import { init, stop } from "lastmile";
import { useEffect } from "react";

export const Measured = ({ children }) => {
  // StrictMode mounts twice: it starts, is stopped, and starts again.
  useEffect(() => {
    init({ url: window.LASTMILE_URL });
    return stop;
  }, []);
  return children;
};
