import type { MetricSample } from './prometheus-text.ts';

/** What counters grew by between two looks, over all processes. */
export interface MetricGrowth {
  /** Of a counter, or of a histogram's `_count` and `_sum`; with `labels`, of the series that have them. */
  grew(name: string, labels?: Readonly<Record<string, string>>): number;
  /** The quantile of what a histogram took in meanwhile, interpolated; null when that was nothing. */
  quantile(name: string, q: number): number | null;
}

/** Samples by the process that gave them. A process that was not there before has no growth yet. */
export type ProcessMetrics = ReadonlyMap<string, readonly MetricSample[]>;

export function metricGrowth(before: ProcessMetrics, after: ProcessMetrics): MetricGrowth {
  const grown = [...after].flatMap(([process, samples]) => {
    const earlier = before.get(process);
    if (earlier === undefined) return [];
    const values = new Map(earlier.map((sample) => [keyOf(sample), sample.value]));
    return samples.map((sample) => {
      const was = values.get(keyOf(sample)) ?? 0;
      // A process that was started anew counts from nothing.
      return { ...sample, value: sample.value < was ? sample.value : sample.value - was };
    });
  });

  return {
    grew: (name, labels = {}) =>
      grown.reduce((sum, sample) => (sample.name === name && hasLabels(sample, labels) ? sum + sample.value : sum), 0),
    quantile(name, q) {
      const buckets = new Map<number, number>();
      for (const sample of grown) {
        if (sample.name !== `${name}_bucket`) continue;
        const bound = boundOf(sample);
        buckets.set(bound, (buckets.get(bound) ?? 0) + sample.value);
      }
      return quantileOf(
        [...buckets].toSorted(([a], [b]) => a - b),
        q,
      );
    },
  };
}

/** As Prometheus's `histogram_quantile`: linear inside a bucket; the last finite bound stands for what is beyond it. */
function quantileOf(buckets: readonly (readonly [bound: number, atMost: number])[], q: number): number | null {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const wanted = q * total;
  let [lower, below] = [0, 0];
  for (const [bound, atMost] of buckets) {
    if (atMost >= wanted && atMost > below) {
      return bound === Infinity ? lower : lower + ((bound - lower) * (wanted - below)) / (atMost - below);
    }
    [lower, below] = [bound, atMost];
  }
  return lower;
}

function boundOf({ labels }: MetricSample): number {
  const text = labels.get('le');
  return text === '+Inf' ? Infinity : Number(text);
}

function hasLabels(sample: MetricSample, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([label, value]) => sample.labels.get(label) === value);
}

function keyOf({ name, labels }: MetricSample): string {
  return JSON.stringify([name, ...[...labels].toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}
