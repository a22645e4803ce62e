import { percentile } from './histogram.ts';
import { histogramPercentile } from './prometheus.ts';
import type { Scenario } from './run-scenario.ts';

export interface Verdict {
  readonly what: string;
  readonly value: string;
  readonly bar: string;
  readonly isMet: boolean;
}

const READ_MS = 100;
const ACCEPT_MS = 250;
const FRESH_SECONDS = 2;
const FAILED_SHARE = 0.001;

/** What is promised, against what was seen. */
export function judge(scenario: Scenario): Verdict[] {
  const { ledger, miscounts, all } = scenario;
  const failed = all.failed / all.requests;
  const readMs = percentile(scenario.reads.ms, 0.99);
  const acceptMs = percentile(scenario.writes.ms, 0.99);
  const recorded = recordedSeconds(scenario);
  const visible = visibleSeconds(scenario, 0.99);
  const none = (what: string, count: number): Verdict => ({
    what,
    value: String(count),
    bar: '0',
    isMet: count === 0,
  });
  return [
    none('accepted and not recorded', ledger.lost),
    none('recorded twice', ledger.doubled),
    none('recorded otherwise than sent', ledger.changed),
    none('recorded and never sent, or refused', ledger.invented),
    none('counts that differ from a recount', miscounts.length),
    within('failed requests', failed * 100, FAILED_SHARE * 100, ' %', 3),
    within('cached read, 99th percentile', readMs, READ_MS, ' ms', 0),
    within('accept, 99th percentile', acceptMs, ACCEPT_MS, ' ms', 0),
    within('accepted to recorded, 99th percentile', recorded, FRESH_SECONDS, ' s', 2),
    within('accepted to visible, 99th percentile', visible, FRESH_SECONDS, ' s', 2),
  ];
}

/** By the database where it knows, else by the worker's histogram: then the bound of the bucket. */
export function recordedSeconds({ recordedAfterSeconds, snapshots }: Scenario, share = 0.99): number {
  if (recordedAfterSeconds !== null) return recordedAfterSeconds;
  const [first, last] = [snapshots[0], snapshots.at(-1)];
  if (first === undefined || last === undefined) return Number.NaN;
  return histogramPercentile(first.samples, last.samples, 'groundswell_freshness_seconds', share);
}

export function visibleSeconds({ probed }: Scenario, share: number): number {
  const seconds = probed.sightings.map((sighting) => sighting.seconds).toSorted((a, b) => a - b);
  return seconds[Math.ceil(seconds.length * share) - 1] ?? Number.NaN;
}

/** A figure that could not be taken is not met. */
function within(what: string, value: number, most: number, unit: string, digits: number): Verdict {
  return { what, value: `${value.toFixed(digits)}${unit}`, bar: `at most ${most}${unit}`, isMet: value <= most };
}
