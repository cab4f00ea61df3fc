/*! lastmile 0.1.0, MIT OR Apache-2.0; web-vitals 5.3.0, Copyright Google LLC, Apache-2.0 */
"use client";
import {
  page
} from "./shared.js";

// client/react.ts
import { useEffect } from "react";
var useReportPage = (template) => useEffect(() => page(template), [template]);
export {
  useReportPage
};
