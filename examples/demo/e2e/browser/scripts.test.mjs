// The client's scripts as `lastmile-aggregator scripts` has their tags, on pages of another origin.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";

import { startClients } from "../support/clients.mjs";
import { fromXtask, keeper } from "../support/processes.mjs";

const SCHEMA = `
[[family]]
name = "usage_total"
type = "counter"
`;

/** `{ name, path, tag }` of each script. */
const printed = (to) =>
  execFileSync(fromXtask("E2E_AGGREGATOR"), ["scripts", "--root", to], { encoding: "utf8" })
    .split("\n\n")
    .map((script) => {
      const [, name, path, tag] = /^(\S+) (\S+)\n(<script .*<\/script>)\n?$/.exec(script);
      return { name, path, tag };
    });

/** What became of a script stands in the page's title. */
const noted = (tag) => tag.replace("<script ", `<script onload="document.title='loaded'" onerror="document.title='refused'" `);

/** The same tag by another text's hash. */
const wrong = (tag) => tag.replace(/sha384-./, (start) => (start.endsWith("A") ? "sha384-B" : "sha384-A"));

let clients, scripts;
const kept = keeper();
before(async () => {
  clients = await startClients(kept, SCHEMA, (to) => {
    scripts = printed(to);
    return Object.fromEntries(
      scripts.flatMap(({ name, tag }) => [
        [`/right/${name}.html`, noted(tag)],
        [`/wrong/${name}.html`, wrong(noted(tag))],
      ]),
    );
  });
});
after(kept.stop);

describe("the tags of scripts", () => {
  test("are for the scripts that are served", async () => {
    assert.deepEqual(scripts.map(({ name }) => name), ["lastmile.js", "lastmile-core.js", "aggregatorClient.js"]);
    for (const { name, path } of scripts) {
      const page = await clients.browser.newPage();
      const errors = [];
      page.on("pageerror", ({ message }) => errors.push(message));
      const [answer] = await Promise.all([
        page.waitForResponse((answer) => answer.url() === clients.proxy.url + path),
        page.goto(`${clients.origin}/right/${name}.html`, { waitUntil: "load" }),
      ]);
      assert.equal(await page.title(), "loaded", name);
      assert.deepEqual(errors, [], name);
      const headers = answer.headers();
      assert.equal(headers["content-encoding"], "gzip", name);
      assert.equal(headers["cache-control"], "public, max-age=31536000, immutable", name);
      await page.close();
    }
  });

  test("are refused with the integrity of another text", async () => {
    for (const { name } of scripts) {
      const page = await clients.browser.newPage();
      await page.goto(`${clients.origin}/wrong/${name}.html`, { waitUntil: "load" });
      assert.equal(await page.title(), "refused", name);
      await page.close();
    }
  });
});
