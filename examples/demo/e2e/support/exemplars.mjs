// A host's exemplars, which only the host's own code can give: expositions that the core's tests write, and keep equal
// to what is exposed (`crates/lastmile/tests/it/formats/exemplars.rs`), served to whoever reads them.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const read = (file) => readFileSync(new URL(`../../../../crates/lastmile/tests/data/${file}`, import.meta.url));

export const HOST_OPEN_METRICS = read("exemplars.om");
const HOST_PROTOBUF = read("exemplars.pb");

/**
 * Without escapes or empty values, which are right and which others read wrongly: Prometheus 2.42 stores escapes of an
 * exemplar in OpenMetrics as they stand and leaves empty values out, and Python's client 0.26 does not read all of them.
 *
 * What was given, by family: the bucket if any, the labels, the value, and the time in seconds if any.
 */
export const HOST_EXEMPLARS = {
  jobs: [[undefined, { trace_id: "5f1c", span_id: "b7ad" }, 3, 1767225600.25]],
  my_jobs: [[undefined, { t: "é,1" }, 4, null]],
  a_counter_with_a_name_of_more_than_32_bytes: [[undefined, {}, 1, 0.007]],
  took_seconds: [
    ["0.5", { trace_id: "low" }, 0.5, null],
    ["+Inf", { trace_id: "high" }, 2.5, 1767225600.251],
  ],
  both_seconds: [
    ["0.5", { trace_id: "low" }, 1e-7, 1767225600.25],
    ["+Inf", { trace_id: "high" }, 7, 1767225600.251],
  ],
  native_seconds: [["+Inf", { trace_id: "any" }, 2, 1767225600.251]],
};

/** Serves it in the format that is asked for: `{ metricsUrl, asked, stop() }`, where `asked` names what was served. */
export const startHost = async () => {
  const asked = new Set();
  const server = createServer(({ headers }, response) => {
    // What a scraper takes first is what it prefers.
    const protobuf = headers.accept?.startsWith("application/vnd.google.protobuf");
    asked.add(protobuf ? "protobuf" : "OpenMetrics");
    const type = protobuf
      ? "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
      : "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.setHeader("content-type", type).end(protobuf ? HOST_PROTOBUF : HOST_OPEN_METRICS);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { metricsUrl: `http://127.0.0.1:${server.address().port}/metrics`, asked, stop };
};
