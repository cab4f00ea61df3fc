// A site with pages of its own, whose headers a test chooses.

import { once } from "node:events";
import { createServer } from "node:http";

/** `{ origin, stop() }`: an empty page at every path, with these headers. */
export const startSite = async (headers = {}) => {
  const server = createServer((_, answer) => {
    answer.writeHead(200, { "Content-Type": "text/html; charset=utf-8", ...headers });
    answer.end("<!doctype html><title>A site</title>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
};
