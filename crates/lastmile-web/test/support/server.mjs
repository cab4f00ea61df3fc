// A server as the client may rely on it: each line is counted once, by its id, for as long as the id is known.

import assert from "node:assert/strict";

/** How long a server knows an id. */
const WINDOW_MS = 600_000;
/** In one body. */
const LINES_MAX = 16;
const BODY_BYTES_MAX = 65_536;

/** `{ take(body), applied }`: `applied` says how often each line has been counted. `now()` is the server's own clock. */
export const server = (now) => {
  const known = new Map();
  const applied = new Map();
  return {
    applied,
    take: (body) => {
      assert.ok(Buffer.byteLength(body) <= BODY_BYTES_MAX, `a body of ${Buffer.byteLength(body)} bytes`);
      const lines = body.split("\n");
      assert.ok(lines.length <= LINES_MAX, `a body of ${lines.length} lines`);
      for (const text of lines) {
        const { id } = JSON.parse(text);
        const before = known.get(id);
        if (before && now() - before.since < WINDOW_MS) {
          assert.equal(text, before.text, "an id names one text");
          continue;
        }
        known.set(id, { text, since: now() });
        applied.set(text, (applied.get(text) ?? 0) + 1);
      }
    },
  };
};
