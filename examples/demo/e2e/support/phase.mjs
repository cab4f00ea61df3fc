// When a Prometheus scrapes: at moments that a hash of the target's labels gives, the same for every
// Prometheus on this machine. So a label that nobody looks at is a way to choose them.

import { startPrometheus } from "./prometheus.mjs";

const N_TRIED = 24;

/**
 * Two sets of labels for the target of this job, of which the second is scraped about `lagMillis` after
 * the first. They are found by trial, while nobody serves the job's address.
 */
export const labelsApart = async (job, seconds, lagMillis) => {
  const labels = Array.from({ length: N_TRIED }, (_, i) => ({ moment: `${i}` }));
  const prometheus = await startPrometheus(job, { seconds, labels, reachable: false });
  const scrapes = await prometheus.query("up[1m]");
  await prometheus.stop();

  const millis = seconds * 1000;
  const phases = scrapes.map(({ metric, values }) => ({
    labels: { moment: metric.moment },
    at: (values[0][0] * 1000) % millis,
  }));
  const pairs = phases.flatMap((first) => phases.map((second) => {
    const lag = (second.at - first.at + millis) % millis;
    return { labels: [[first.labels], [second.labels]], miss: Math.abs(lag - lagMillis) };
  }));
  return pairs.sort((a, b) => a.miss - b.miss)[0].labels;
};
