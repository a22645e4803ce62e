import { chart, type Line } from './chart.ts';
import { countOf, percentile } from './histogram.ts';
import { histogramPercentile } from './prometheus.ts';
import type { Scenario } from './run-scenario.ts';
import { kindOf, totals, type Kind, type Second } from './timeline.ts';

/** Seconds that a point of a percentile is taken over. */
const STEP = 5;
const SHARES = [0.5, 0.95, 0.99] as const;

export interface Scale {
  /** Of the longer run. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
}

export function scaleOf(scenarios: readonly Scenario[]): Scale {
  return {
    seconds: Math.max(
      ...scenarios.map(({ timeline }) => (timeline.seconds.at(-1)?.at ?? 0) - startOf(timeline.seconds)),
    ),
    requestsPerSecond: Math.max(...scenarios.flatMap(({ timeline }) => timeline.seconds.map(requestsOf))),
  };
}

/** One system's charts, each on the same scale of time as the other's. */
export function scenarioCharts(scenario: Scenario, { seconds, requestsPerSecond }: Scale): string[] {
  const all = scenario.timeline.seconds;
  const start = startOf(all);
  const steps = groups(all);
  const perSecond = (name: string, value: (second: Second) => number): Line => ({
    name,
    points: all.map((second) => [second.at - start, value(second)]),
  });
  const latency = (kind: Kind): Line[] =>
    SHARES.map((share) => ({
      name: `${share * 100} %`,
      points: steps.map((step) => [
        (step[0]?.at ?? start) - start,
        percentile(totals(step, (name) => kindOf(name) === kind).ms, share),
      ]),
    }));
  return [
    chart({
      title: 'Throughput',
      unit: 'requests/s, users',
      seconds,
      top: requestsPerSecond,
      lines: [perSecond('requests', requestsOf), perSecond('users', ({ users }) => users)],
    }),
    chart({ title: 'Reading what is popular', unit: 'ms', seconds, bar: 100, lines: latency('read') }),
    chart({ title: 'Accepting a write', unit: 'ms', seconds, bar: 250, lines: latency('write') }),
    chart({
      title: 'Freshness',
      unit: 's',
      seconds,
      bar: 2,
      lines: [
        { name: 'to visible', points: scenario.probed.sightings.map(({ at, seconds }) => [at - start, seconds]) },
        ...recordedLine(scenario, start),
      ],
    }),
    chart({
      title: 'Failed requests',
      unit: 'per s',
      seconds,
      top: 1,
      lines: [perSecond('failed', ({ requests }) => sum([...requests.values()].map(({ failed }) => failed)))],
    }),
    chart({ title: 'CPU', unit: 'cores', seconds, top: 2, lines: cpuLines(scenario, start) }),
  ];
}

function recordedLine({ snapshots, recordedAfterSeconds }: Scenario, start: number): Line[] {
  if (recordedAfterSeconds !== null) return [];
  const points = pairs(snapshots).map(([before, after]): [number, number] => [
    after.at - start,
    histogramPercentile(before.samples, after.samples, 'groundswell_freshness_seconds', 0.99),
  ]);
  return [{ name: 'to recorded, 99 %', points }];
}

function cpuLines({ snapshots }: Scenario, start: number): Line[] {
  const last = snapshots.at(-1)?.cpuSeconds ?? new Map<string, number>();
  const busiest = [...last].toSorted(([, a], [, b]) => b - a).map(([part]) => part);
  return busiest.slice(0, 7).map((part) => ({
    name: part,
    points: pairs(snapshots).map(([before, after]) => [
      after.at - start,
      ((after.cpuSeconds.get(part) ?? 0) - (before.cpuSeconds.get(part) ?? 0)) / (after.at - before.at),
    ]),
  }));
}

function groups(seconds: readonly Second[]): Second[][] {
  return seconds.flatMap((_, index) => (index % STEP === 0 ? [seconds.slice(index, index + STEP)] : []));
}

function pairs<T>(of: readonly T[]): [T, T][] {
  return of.slice(1).flatMap((after, index): [T, T][] => {
    const before = of[index];
    return before === undefined ? [] : [[before, after]];
  });
}

function startOf(seconds: readonly Second[]): number {
  return seconds[0]?.at ?? 0;
}

function requestsOf({ requests }: Second): number {
  return sum([...requests.values()].map(({ ms }) => countOf(ms)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
