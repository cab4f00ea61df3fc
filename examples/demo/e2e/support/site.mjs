// A site with pages of its own, whose headers a test chooses.

import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";

/**
 * `{ origin, stop() }`: an empty page at every path, with these headers; but `/missing` is not there, and at
 * `/broken` the connection breaks off. With a certificate it is reached over TLS, by whatever name that has.
 */
export const startSite = async (headers = {}, { certificate, port = 0 } = {}) => {
  const take = ({ url }, answer) => {
    if (url.startsWith("/broken")) return answer.destroy();
    answer.writeHead(url.startsWith("/missing") ? 404 : 200, { "Content-Type": "text/html; charset=utf-8", ...headers });
    answer.end("<!doctype html><title>A site</title>");
  };
  const server = certificate ? createSecureServer(certificate, take) : createServer(take);
  server.listen(port, "127.0.0.1");
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
