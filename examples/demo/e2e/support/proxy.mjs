// A proxy that notes every request on its way to the aggregator: what the browser really sent,
// preflights included, also while its page was going away. It can make trouble.

import { once } from "node:events";
import { createServer, request } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Passes everything on to `target`: `{ url, port, requests, meet(…), loseNextAnswer(), close(), open(), stop() }`.
 * `requests` lists `{ method, path, query, headers, body, status, at }` as they come; the body is there when the status is, which
 * is `"none"` where the proxy broke the connection. With a certificate it is reached over TLS, as a reverse proxy in
 * front of an aggregator is. What `serve(path)` gives, `{ headers, body }`, is not
 * passed on; with `isSilent` there is no answer.
 */
export const startProxy = async (target, certificate, serve = () => undefined) => {
  const requests = [];
  const answered = new WeakSet();
  const troubles = [];
  let loses = false;

  const passOn = (noted, incoming, answer, isUnheard) => {
    const { method, headers } = noted;
    const { socket } = incoming;
    const passedOn = request(target + incoming.url, { method, headers, agent: false }, (response) => {
      noted.status = response.statusCode;
      // A browser asks again only on a connection that has worked before.
      const isLost = isUnheard || (loses && method === "POST" && answered.has(socket));
      if (isLost) {
        loses = false;
        noted.isLost = true;
        socket.destroy();
        return;
      }
      answered.add(socket);
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    passedOn.on("error", () => {
      noted.status ||= "none";
      answer.destroy();
    });
    incoming.pipe(passedOn);
  };

  const take = async (incoming, answer) => {
    const { method, url, headers, socket } = incoming;
    const [path, query = ""] = url.split("?");
    const served = method === "GET" && serve(path);
    if (served?.isSilent) return;
    if (served) {
      answered.add(socket);
      answer.writeHead(200, served.headers);
      return answer.end(served.body);
    }
    const noted = { method, path, query, headers, body: "", status: 0, at: Date.now() };
    requests.push(noted);
    incoming.on("data", (bytes) => { noted.body += bytes; });
    const trouble = method === "POST" ? troubles.shift() : undefined;
    if (trouble === "unread") {
      noted.status = "none";
      return socket.destroy();
    }
    if (trouble === "silent") {
      noted.status = "none";
      return;
    }
    if (trouble?.status) {
      await once(incoming, "end");
      answer.writeHead(trouble.status, trouble.headers);
      answer.end(trouble.body);
      noted.status = trouble.status;
      return;
    }
    if (trouble?.millis || trouble?.until) {
      incoming.pause();
      await (trouble.until ?? sleep(trouble.millis));
    }
    passOn(noted, incoming, answer, trouble === "unheard");
  };

  const server = certificate ? createSecureServer(certificate, take) : createServer(take);
  // Longer than a test: only what a test wants to break breaks.
  server.keepAliveTimeout = 120_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  const close = async () => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    /**
     * What the next pushes meet, each one: `"unread"`, the connection breaks before anybody has it; `"unheard"`, it
     * breaks when the aggregator has counted it; `"silent"`, nobody answers; `{ status, headers, body }`, that is the
     * answer, and nothing is passed on; `{ millis }`, it is passed on so much later, or `{ until }`
     * when that has come; `undefined`, no trouble.
     */
    meet: (...next) => troubles.splice(0, troubles.length, ...next),
    /** Breaks the connection of a push, once, when the aggregator has taken it and before the browser knows. */
    loseNextAnswer: () => { loses = true; },
    /** Nobody listens any more, until it is opened. */
    close,
    open: async () => {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
    },
    stop: close,
  };
};
