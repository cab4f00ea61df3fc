// A proxy that notes every request on its way to the aggregator: what the browser really sent,
// preflights included, also while its page was going away.

import { once } from "node:events";
import { createServer, request } from "node:http";
import { createServer as createSecureServer } from "node:https";

/**
 * Passes everything on to `target`: `{ url, port, requests, loseNextAnswer(), stop() }`. `requests` lists
 * `{ method, path, query, headers, body, status }` as they come; the body is there when the status is. With a certificate it
 * is reached over TLS, as a reverse proxy in front of an aggregator is.
 */
export const startProxy = async (target, certificate) => {
  const requests = [];
  const answered = new WeakSet();
  let loses = false;
  const take = (incoming, answer) => {
    const { method, url, headers, socket } = incoming;
    const [path, query = ""] = url.split("?");
    const noted = { method, path, query, headers, body: "", status: 0 };
    requests.push(noted);
    const passedOn = request(target + url, { method, headers, agent: false }, (response) => {
      noted.status = response.statusCode;
      // A browser asks again only on a connection that has worked before.
      if (loses && method === "POST" && answered.has(socket)) {
        loses = false;
        noted.isLost = true;
        socket.destroy();
        return;
      }
      answered.add(socket);
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    passedOn.on("error", () => answer.destroy());
    incoming.on("data", (bytes) => { noted.body += bytes; });
    incoming.pipe(passedOn);
  };
  const server = certificate ? createSecureServer(certificate, take) : createServer(take);
  // Longer than a test: only what a test wants to break breaks.
  server.keepAliveTimeout = 120_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    port: server.address().port,
    requests,
    /** Breaks the connection of a push, once, when the aggregator has taken it and before the browser knows. */
    loseNextAnswer: () => { loses = true; },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
};
