import { percentile } from './histogram.ts';
import { recordedSeconds, visibleSeconds } from './judge.ts';
import type { SystemOutcome } from './outcome.ts';

export interface ComparedRow {
  readonly what: string;
  readonly values: readonly string[];
  /** Ours by the peer's; empty where that says nothing. */
  readonly ratio: string;
}

type Pick = (system: SystemOutcome) => number;

/** The figures side by side, the scenario's and then those of saturation. */
export function compare(systems: readonly SystemOutcome[]): ComparedRow[] {
  const row = (what: string, pick: Pick, { digits = 0, unit = '', more = '' } = {}): ComparedRow => {
    const values = systems.map(pick);
    const [ours = Number.NaN, peer = Number.NaN] = values;
    const ratio = more === 'better' ? ours / peer : more === 'worse' ? peer / ours : Number.NaN;
    return {
      what,
      values: values.map((value) => (Number.isFinite(value) ? `${show(value, digits)}${unit}` : 'over the scale')),
      ratio: Number.isFinite(ratio) ? `${show(ratio, 1)} ×` : '',
    };
  };
  const steadySeconds: Pick = ({ scenario }) => scenario.steady.length;
  const rows = [
    row(
      'requests/s',
      (system) => (system.scenario.reads.requests + system.scenario.writes.requests) / steadySeconds(system),
      { more: 'better' },
    ),
    row('failed requests', ({ scenario }) => (100 * scenario.all.failed) / scenario.all.requests, {
      digits: 3,
      unit: ' %',
    }),
    ...[0.5, 0.95, 0.99].map((share) =>
      row(`read, ${share * 100} %`, ({ scenario }) => percentile(scenario.reads.ms, share), {
        digits: 1,
        unit: ' ms',
        more: 'worse',
      }),
    ),
    ...[0.5, 0.95, 0.99].map((share) =>
      row(`accept, ${share * 100} %`, ({ scenario }) => percentile(scenario.writes.ms, share), {
        digits: 1,
        unit: ' ms',
        more: 'worse',
      }),
    ),
    row('accepted to recorded, 99 %', ({ scenario }) => recordedSeconds(scenario), {
      digits: 2,
      unit: ' s',
      more: 'worse',
    }),
    row('accepted to visible, 50 %', ({ scenario }) => visibleSeconds(scenario, 0.5), {
      digits: 2,
      unit: ' s',
      more: 'worse',
    }),
    row('accepted to visible, 99 %', ({ scenario }) => visibleSeconds(scenario, 0.99), {
      digits: 2,
      unit: ' s',
      more: 'worse',
    }),
    row('left to record when the users had gone', ({ scenario }) => scenario.drainSeconds, { digits: 1, unit: ' s' }),
    row('interactions accepted', ({ scenario }) => scenario.ledger.accepted),
    row('accepted and lost', ({ scenario }) => scenario.ledger.lost),
    row('recorded twice', ({ scenario }) => scenario.ledger.doubled),
    row('CPU of the whole stack', ({ scenario }) => scenario.cpuSeconds, { unit: ' s', more: 'worse' }),
    row('interactions accepted per CPU second', ({ scenario }) => scenario.ledger.accepted / scenario.cpuSeconds, {
      more: 'better',
    }),
  ];
  if (systems.some(({ saturation }) => saturation === null)) return rows;
  const of =
    (pick: (saturation: NonNullable<SystemOutcome['saturation']>) => number): Pick =>
    (system) =>
      system.saturation === null ? Number.NaN : pick(system.saturation);
  return [
    ...rows,
    row(
      'saturated with reads: per CPU second',
      of(({ read }) => read.perCpuSecond),
      { more: 'better' },
    ),
    row(
      'saturated with reads: per second',
      of(({ read }) => read.perSecond),
      { more: 'better' },
    ),
    row(
      'saturated with reads: 99 %',
      of(({ read }) => read.p99Ms),
      { digits: 1, unit: ' ms', more: 'worse' },
    ),
    row(
      'saturated with reads: errors',
      of(({ read }) => read.errors),
    ),
    row(
      'saturated with writes: per CPU second, recorded',
      of(({ write }) => write.perCpuSecond),
      { more: 'better' },
    ),
    row(
      'saturated with writes: accepted per second',
      of(({ write }) => write.perSecond),
      { more: 'better' },
    ),
    row(
      'saturated with writes: 99 %',
      of(({ write }) => write.p99Ms),
      { digits: 1, unit: ' ms', more: 'worse' },
    ),
    row(
      'saturated with writes: errors',
      of(({ write }) => write.errors),
    ),
    row(
      'saturated with writes: then left to record',
      of(({ write }) => write.drainSeconds),
      { digits: 1, unit: ' s' },
    ),
  ];
}

/** The claim, and what was measured of it; empty without a peer or without saturation. */
export function claim(systems: readonly SystemOutcome[]): string {
  const [ours, peer] = systems.map(({ saturation }) => saturation);
  if (!ours || !peer) return '';
  const reads = ours.read.perCpuSecond / peer.read.perCpuSecond;
  const writes = ours.write.perCpuSecond / peer.write.perCpuSecond;
  const least = Math.min(reads, writes);
  return `Ten times the guide's stack: ${least >= 10 ? 'held' : 'not held'} in this run. Per CPU second of the whole stack, ${show(reads, 1)} times as many cached reads and ${show(writes, 1)} times as many writes, recorded.`;
}

function show(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
