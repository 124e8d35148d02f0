// Metrics as the service tells them to Prometheus.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** A histogram: how many were at most so much, `[bound, count]` in ascending order. */
class Histogram {
  constructor(buckets) {
    this.buckets = buckets;
    this.count = buckets.at(-1)?.[1] ?? 0;
  }

  minus(earlier) {
    const then = new Map(earlier.buckets);
    return new Histogram(this.buckets.map(([bound, count]) => [bound, count - (then.get(bound) ?? 0)]));
  }
}

/** The value that a share of what a histogram counted does not exceed; `null` where nothing was counted. */
export function quantile({ buckets, count }, share) {
  if (!count) return null;
  const wanted = share * count;
  let [low, before] = [0, 0];
  for (const [bound, upTo] of buckets) {
    if (upTo >= wanted) return Number.isFinite(bound) ? low + ((bound - low) * (wanted - before)) / Math.max(1, upTo - before) : low;
    [low, before] = [bound, upTo];
  }
  return low;
}

class Metrics {
  constructor(samples) {
    this.samples = samples;
  }

  all(name) {
    return this.samples.get(name) ?? [];
  }

  /** The value of a sample with these labels; `null` where there is none. */
  value(name, labels = {}) {
    const isMeant = (sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
    return this.all(name).find(isMeant)?.value ?? null;
  }

  histogram(name, labels) {
    const isMeant = (sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
    const buckets = this.all(`${name}_bucket`).filter(isMeant).map(({ labels: { le }, value }) => [le === "+Inf" ? Infinity : Number(le), value]);
    return new Histogram(buckets.sort(([a], [b]) => a - b));
  }
}

/** Reads the text format of Prometheus. */
export function parseMetrics(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    if (!match) continue;
    const labels = Object.fromEntries([...(match[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value.replace(/\\(.)/g, "$1")]));
    if (!samples.has(match[1])) samples.set(match[1], []);
    samples.get(match[1]).push({ labels, value: match[3] === "+Inf" ? Infinity : Number(match[3]) });
  }
  return new Metrics(samples);
}
