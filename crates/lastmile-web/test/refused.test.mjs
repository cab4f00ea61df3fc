import assert from "node:assert/strict";
import { test } from "node:test";

import { delivering } from "./support/delivering.mjs";
import { random } from "./support/random.mjs";
import { world } from "./support/world.mjs";

test("a server that refuses all is told so more and more seldom", async () => {
  const urls = ["/lm"];
  const page = world(random(1), urls);
  const { it, increment } = delivering(page, urls, 10_000);
  increment(it.measured(), "clicks_total", 1);
  let n = 0;
  for (let minutes = 0; minutes < 60; minutes += 1 / 6) {
    it.flush();
    for (const request of page.requests()) {
      n++;
      await page.settle(request, { status: 404 });
    }
    await page.pass(10_000);
  }
  assert.ok(n > 20 && n < 90, `${n} times in an hour`);
});
