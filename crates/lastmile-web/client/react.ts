"use client";

/** For React 16.8 and later. */

import { useEffect } from "react";

import { page } from "./core.js";

/** Says what the page is called while this is rendered: a route as its router writes it, `/users/:id`. */
export const useReportPage = (template: string): void => useEffect(() => page(template), [template]);
