type Random = () => number;

/** What came of a simulated station. */
export interface Station {
  /** Of the time, how much its servers were busy. */
  readonly utilization: number;
  /** From arrival to end, in seconds, in the order of arrival, without the first tenth: it began empty. */
  readonly stays: readonly number[];
}

/** Arrivals come by themselves (Poisson); each waits for the first of `servers` that is free and takes its time there. */
export function serve(
  { perSecond, servers, arrivals }: { perSecond: number; servers: number; arrivals: number },
  serviceSeconds: (random: Random) => number,
  random: Random,
): Station {
  const freeAt = Array.from({ length: servers }, () => 0);
  const stays: number[] = [];
  let [now, busy] = [0, 0];
  for (let count = 0; count < arrivals; count += 1) {
    now += exponential(1 / perSecond, random);
    let first = 0;
    for (let server = 1; server < servers; server += 1) {
      if ((freeAt[server] ?? 0) < (freeAt[first] ?? 0)) first = server;
    }
    const takes = serviceSeconds(random);
    const endsAt = Math.max(now, freeAt[first] ?? 0) + takes;
    freeAt[first] = endsAt;
    busy += takes;
    stays.push(endsAt - now);
  }
  // What is under way at the end counts only up to it.
  const late = freeAt.reduce((sum, at) => sum + Math.max(0, at - now), 0);
  return { utilization: Math.max(0, busy - late) / (now * servers), stays: stays.slice(Math.floor(arrivals / 10)) };
}

export interface Batching {
  readonly perSecond: number;
  readonly arrivals: number;
  readonly batchesAtOnce: number;
  readonly maxItems: number;
  readonly maxWaitSeconds: number;
  readonly secondsPerItem: number;
}

/** As the worker does it: a batch closes when it is full or old enough, and takes the first place that is free. */
export function serveBatches(options: Batching, random: Random): Station {
  const { perSecond, arrivals, batchesAtOnce, maxItems, maxWaitSeconds, secondsPerItem } = options;
  const freeAt = Array.from({ length: batchesAtOnce }, () => 0);
  const stays: number[] = [];
  let [now, busy, next] = [0, 0, exponential(1 / perSecond, random)];
  while (stays.length < arrivals) {
    const batch: number[] = [];
    const place = freeAt.indexOf(Math.min(...freeAt));
    // Until a place is free a batch goes on filling.
    const closesAt = Math.max(next + maxWaitSeconds, freeAt[place] ?? 0);
    while (next <= closesAt && batch.length < maxItems) {
      batch.push(next);
      next += exponential(1 / perSecond, random);
    }
    const last = batch.at(-1) ?? closesAt;
    const closed = Math.max(batch.length === maxItems ? last : closesAt, freeAt[place] ?? 0);
    // Some batches meet a busier database than others.
    const takes = batch.length * secondsPerItem * (0.5 + random());
    freeAt[place] = closed + takes;
    busy += takes;
    now = Math.max(now, closed);
    for (const arrivedAt of batch) stays.push(closed + takes - arrivedAt);
  }
  return { utilization: busy / (now * batchesAtOnce), stays: stays.slice(Math.floor(stays.length / 10)) };
}

export function exponential(mean: number, random: Random): number {
  return -mean * Math.log1p(-random());
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
