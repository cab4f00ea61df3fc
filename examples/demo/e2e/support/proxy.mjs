// A proxy that notes every request on its way to the aggregator: what the browser really sent,
// preflights included, also while its page was going away.

import { once } from "node:events";
import { createServer, request } from "node:http";
import { createServer as createSecureServer } from "node:https";

/**
 * Passes everything on to `target`. `requests` lists `{ method, path, status }` as they come. With a certificate it
 * is reached over TLS, as a reverse proxy in front of an aggregator is.
 */
export const startProxy = async (target, certificate) => {
  const requests = [];
  const take = (incoming, answer) => {
    const noted = { method: incoming.method, path: incoming.url, status: 0 };
    requests.push(noted);
    const { method, headers } = incoming;
    const passedOn = request(target + incoming.url, { method, headers, agent: false }, (response) => {
      noted.status = response.statusCode;
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    passedOn.on("error", () => answer.destroy());
    incoming.pipe(passedOn);
  };
  const server = certificate ? createSecureServer(certificate, take) : createServer(take);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    port: server.address().port,
    requests,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
};
