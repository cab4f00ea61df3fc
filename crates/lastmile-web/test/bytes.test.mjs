// What waits is counted in bytes, of which some characters have more than one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { delivering } from "./support/delivering.mjs";
import { random } from "./support/random.mjs";
import { world } from "./support/world.mjs";

const WAITING_BYTES_MAX = 28_000;

for (const char of ["x", "é", "中"]) {
  test(`28 kB wait at most, in characters such as ${char}`, async () => {
    const page = world(random(1), ["/lm"]);
    const { it, increment } = delivering(page, ["/lm"], 10_000);
    page.setOnline(false);
    for (let n = 0; n < 100; n++) {
      it.check();
      increment(it.measured(), `clicks_total;of=${n}${char.repeat(900)}`, 1);
    }
    page.setOnline(true);
    it.flush();
    const [{ body }] = page.requests();
    const bytes = Buffer.byteLength(body);
    assert.ok(bytes <= WAITING_BYTES_MAX, `${bytes} wait`);
    assert.match(body, /client_dropped_total;reason=overflow/);
  });
}
