import { increment, init, stop } from "lastmile";
import { useReportPage } from "lastmile/react";
import { StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";

const Shop = () => {
  useReportPage("/shop/:product");
  const buy = () => increment("orders_total", { kind: "book" });
  return <button onClick={buy}>Buy</button>;
};

const App = () => {
  // StrictMode mounts twice: it starts, is stopped, and starts again.
  useEffect(() => {
    init({ url: window.LASTMILE_URL });
    return stop;
  }, []);
  return <Shop />;
};

createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>);
