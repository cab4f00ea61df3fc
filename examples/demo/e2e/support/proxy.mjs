// A proxy that notes every request on its way to the aggregator: what the browser really sent,
// preflights included, also while its page was going away.

import { once } from "node:events";
import { createServer, request } from "node:http";

/** Passes everything on to `target`. `requests` lists `{ method, path, status }` as they come. */
export const startProxy = async (target) => {
  const requests = [];
  const server = createServer((incoming, answer) => {
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
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
};
