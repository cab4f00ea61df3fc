// What a Prometheus can compute from the samples it stored, exactly: `increase` without extrapolation.

/** A series as the exposition writes it, its labels sorted and without those of the target. */
export const seriesName = ({ __name__: name, job, instance, moment, ...labels }) => {
  const pairs = Object.keys(labels).sort().map((label) => `${label}=${JSON.stringify(labels[label])}`);
  return pairs.length === 0 ? name : `${name}{${pairs}}`;
};

/** The sum of all rises. A fall is a reset, after which the new value has risen from 0. */
const increase = (numbers) => {
  const rise = (number, i) => (number < numbers[i] ? number : number - numbers[i]);
  return numbers.slice(1).map(rise).reduce((sum, risen) => sum + risen, 0);
};

/** All that is stored of the series that `selector` selects: name to `{ increase, falls, last }`. */
export const stored = async (prometheus, selector) => {
  const found = new Map();
  for (const { metric, values } of await prometheus.query(`${selector}[1h]`)) {
    const numbers = values.map(([, text]) => Number(text));
    const falls = numbers.slice(1).filter((number, i) => number < numbers[i]).length;
    found.set(seriesName(metric), { increase: increase(numbers), falls, last: numbers.at(-1) });
  }
  return found;
};
