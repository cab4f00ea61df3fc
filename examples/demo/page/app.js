// The sample app's buttons, and the panels that show what was sent and what arrived.
"use strict";

const byId = (id) => document.getElementById(id);
const element = (tag, className, text) => Object.assign(document.createElement(tag), { className, textContent: text });
const say = (text) => { byId("said").textContent = text; };

// --- The buttons ---

const browser = [["edge", /Edg\//], ["firefox", /Firefox\//], ["chrome", /Chrom(e|ium)\//], ["safari", /Safari\//]]
  .find(([, pattern]) => pattern.test(navigator.userAgent))?.[0] ?? "other";

for (const button of document.querySelectorAll("button[data-feature]")) {
  button.addEventListener("click", () => {
    const { feature } = button.dataset;
    prometheusAggregator("increment", "usage_total", { browser, feature }, 1);
    say(`One more ${feature}, in ${browser}.`);
  });
}

// How long another server takes to answer, or that it does not: the seconds, if it answered.
const ask = async (target, url) => {
  const began = performance.now();
  try {
    await fetch(url, { mode: "no-cors", cache: "no-store", credentials: "omit" });
  } catch {
    return lm("increment", "client_ping_failures_total", { target, reason: "error" });
  }
  const seconds = (performance.now() - began) / 1000;
  lm("observe", "client_ping_seconds", { target }, seconds);
  return seconds;
};

byId("slow").addEventListener("click", async () => {
  const millis = Math.round(100 + 1400 * Math.random());
  say("Waiting…");
  const seconds = await ask("slow-third-party", `/third-party/${millis}`);
  if (seconds === undefined) return say("It did not answer.");
  prometheusAggregator("observe", "firebase_response_time", { firebaseHost: "slow-third-party" }, Number(seconds.toFixed(3)));
  say(`It took ${seconds.toFixed(2)} seconds.`);
});

byId("blocked").addEventListener("click", async () => {
  say("Trying…");
  await ask("blocked-third-party", "http://blocked.invalid/"); // RFC 2606: it never resolves
  say("Not reachable from here. With lastmile you learn how many of your users see that.");
});

byId("throw").addEventListener("click", () => {
  say("Thrown. Your users rarely tell you; the counter does.");
  throw new Error("thrown by the demo");
});

// --- What this page sent ---

const SENT_MAX = 4;
document.addEventListener("demo:sent", ({ detail: { url, body, status } }) => {
  if (body === "[]") return; // the seed's sign of life
  const list = byId("sent");
  if (!list.querySelector("b")) list.textContent = "";
  const path = new URL(url, location).pathname;
  const bytes = new TextEncoder().encode(body).length;
  const item = document.createElement("li");
  item.append(element("b", "", `POST ${path}, ${bytes} bytes: ${status || "no answer"}`), element("code", "", body));
  list.prepend(item);
  while (list.children.length > SENT_MAX) list.lastChild.remove();
});

// --- What arrived ---

// A scrape as families: their comments, and their samples in order. A sample's line is a series, a
// space and a value; label values may hold spaces, the value may not.
const parse = (text) => {
  const families = [];
  for (const line of text.split("\n").filter(Boolean)) {
    if (line.startsWith("#")) {
      const family = families.at(-1);
      if (family && family.samples.length === 0) family.comments.push(line);
      else families.push({ comments: [line], samples: [] });
    } else {
      const cut = line.lastIndexOf(" ");
      const series = line.slice(0, cut);
      families.at(-1).samples.push({ series, name: series.split("{")[0], value: Number(line.slice(cut + 1)) });
    }
  }
  return families;
};

let families = [];
let opened; // the value of each series when this page was opened
let seen = new Map(); // and at the last look

const tidy = (number) => Number(number.toPrecision(12)).toString();

const drawMetrics = () => {
  const every = byId("all").checked;
  const buckets = every || byId("buckets").checked;
  const own = every || byId("own").checked;
  const rows = [];
  for (const { comments, samples } of families) {
    const moved = samples
      .map((sample) => ({ ...sample, rise: sample.value - (opened.get(sample.series) ?? 0) }))
      .filter(({ rise }) => every || rise !== 0)
      .filter(({ name }) => buckets || !name.endsWith("_bucket"))
      .filter(({ name }) => own || !name.startsWith("lastmile_"));
    if (moved.length === 0) continue;
    const wanted = comments.filter((comment) => every || comment.startsWith("# HELP"));
    rows.push(...wanted.map((comment) => element("div", "help", comment)));
    for (const { series, value, rise } of moved) {
      const row = element("div", seen.get(series) === value ? "" : "flash", `${series} `);
      row.append(element("span", "value", tidy(value)));
      if (rise !== 0) row.append(element("span", "rise", `   ${rise > 0 ? "+" : ""}${tidy(rise)}`));
      rows.push(row);
    }
  }
  if (rows.length > 0) byId("metrics").replaceChildren(...rows);
};

const drawTiles = () => {
  const samples = families.flatMap(({ samples }) => samples);
  const sum = (name, labels = "") => samples
    .filter((sample) => sample.name === name && sample.series.includes(labels))
    .reduce((total, { value }) => total + value, 0);
  const slow = 'target="slow-third-party"';
  const answers = sum("client_ping_seconds_count", slow);
  byId("tile-loads").textContent = sum("client_page_loads_total");
  byId("tile-features").textContent = sum("usage_total");
  byId("tile-slow").textContent = answers ? `${(sum("client_ping_seconds_sum", slow) / answers).toFixed(2)} s` : "–";
  byId("tile-errors").textContent = sum("client_errors_total");
  byId("tile-seconds").textContent = Math.floor(sum("client_user_seconds_total"));
  byId("tile-refused").textContent = sum("lastmile_refused_total");
};

const look = async () => {
  const answer = await fetch("/metrics", { cache: "no-store" });
  families = parse(await answer.text());
  const now = new Map(families.flatMap(({ samples }) => samples).map(({ series, value }) => [series, value]));
  opened ??= now;
  drawMetrics();
  drawTiles();
  seen = now;
};

if (document.body.dataset.aggregator === "") {
  // A look that fails (the demo was stopped) must not count as an error of the page.
  const lookAgain = () => look().catch(() => {}).finally(() => setTimeout(lookAgain, 1000));
  lookAgain();
  for (const id of ["buckets", "own", "all"]) byId(id).addEventListener("change", drawMetrics);
} else {
  for (const id of ["tiles", "live", "scrape"]) byId(id).hidden = true;
  byId("elsewhere").hidden = false;
}
byId("target").textContent = location.host;
