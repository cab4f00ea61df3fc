"use client";

import { increment } from "lastmile";
import { useReportPage } from "lastmile/react";

export const Shop = () => {
  useReportPage("/shop/:product");
  // Rendered on a server, where there is nothing to count.
  if (typeof window === "undefined") increment("orders_total", { kind: "rendered" });
  return <button onClick={() => increment("orders_total", { kind: "book" })}>Buy</button>;
};
