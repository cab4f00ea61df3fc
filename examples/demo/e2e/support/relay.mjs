// A relay of bytes between a Prometheus and the aggregator, which breaks connections: the next scrape
// then comes from another port, as from a reader that nobody knows.

import { once } from "node:events";
import { connect, createServer } from "node:net";

import { until } from "./processes.mjs";

/** Without a byte for so long, no scrape is under way. */
const QUIET_MILLIS = 200;

/**
 * Relays to the server of `target`: `{ url, nConnections(), cut(), loseNextAnswer(), nLost(), stop() }`.
 */
export const startRelay = async (target) => {
  const { hostname, port, pathname } = new URL(target);
  const open = new Set();
  let nConnections = 0;
  let nLost = 0;
  let loses = false;
  let lastByte = 0;

  const server = createServer((client) => {
    const upstream = connect(port, hostname);
    const destroy = () => {
      client.destroy();
      upstream.destroy();
      open.delete(destroy);
    };
    nConnections += 1;
    open.add(destroy);
    client.on("data", (bytes) => {
      lastByte = Date.now();
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      lastByte = Date.now();
      if (!loses) return client.write(bytes);
      loses = false;
      nLost += 1;
      return destroy();
    });
    for (const side of [client, upstream]) side.on("error", destroy).on("close", destroy);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const destroyAll = () => open.forEach((destroy) => destroy());
  const isQuiet = () => (open.size > 0 && Date.now() - lastByte > QUIET_MILLIS) || undefined;
  return {
    url: `http://127.0.0.1:${server.address().port}${pathname}`,
    nConnections: () => nConnections,
    nLost: () => nLost,
    /** Breaks the connection, once there is one, between two scrapes. */
    cut: async () => {
      await until("a connection is quiet", isQuiet, { everyMillis: 20 });
      destroyAll();
    },
    /** Breaks a connection once more, when the aggregator has answered and before the reader knows. */
    loseNextAnswer: () => { loses = true; },
    stop: async () => {
      server.close();
      destroyAll();
      await once(server, "close");
    },
  };
};
