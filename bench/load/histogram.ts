/** Of response times, as locust/timeline.py counts them: bucket 0 up to 1 ms, each next one ends 5 % above where it begins. */
export type Histogram = Map<number, number>;

const GROWTH = 1.05;

export function addTo(histogram: Histogram, more: ReadonlyMap<number, number>): Histogram {
  for (const [bucket, count] of more) histogram.set(bucket, (histogram.get(bucket) ?? 0) + count);
  return histogram;
}

export function countOf(histogram: ReadonlyMap<number, number>): number {
  let count = 0;
  for (const of of histogram.values()) count += of;
  return count;
}

/** The time in ms that the share of requests stayed within, rounded up to the end of its bucket; NaN of none. */
export function percentile(histogram: ReadonlyMap<number, number>, share: number): number {
  const wanted = Math.ceil(countOf(histogram) * share);
  let seen = 0;
  for (const [bucket, count] of [...histogram].toSorted(([a], [b]) => a - b)) {
    seen += count;
    if (seen >= wanted) return GROWTH ** bucket;
  }
  return Number.NaN;
}
