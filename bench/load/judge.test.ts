import { expect, it } from 'vitest';
import { conclude } from './conclude.ts';
import type { LedgerVerdict } from './compare-ledger.ts';
import { judge } from './judge.ts';
import type { LoadOutcome } from './outcome.ts';
import { report } from './report.ts';
import type { Scenario } from './run-scenario.ts';
import { summary } from './summary.ts';
import type { Totals } from './timeline.ts';

const ledger: LedgerVerdict = {
  accepted: 1_000,
  recorded: 1_000,
  lost: 0,
  doubled: 0,
  changed: 0,
  invented: 0,
  unknown: 0,
  unknownRecorded: 0,
  examples: [],
};
/** As many requests as promises of 99 % need, and the slowest ones' time in ms. */
const taking = (slowestMs: number, slowest = 11): Totals => ({
  requests: 1_000,
  failed: 0,
  ms: new Map([
    [0, 1_000 - slowest],
    [Math.ceil(Math.log(slowestMs) / Math.log(1.05)), slowest],
  ]),
});
const seen = (seconds: readonly number[]): Scenario['probed'] => ({
  sightings: seconds.map((took) => ({ at: 0, seconds: took })),
  entries: [],
  faults: [],
});
/** What Groundswell's histogram counted up to a bound, of 100. */
const freshness = (bound: string, count: number): Map<string, number> =>
  new Map([
    [`groundswell_freshness_seconds_bucket{le="${bound}"}`, count],
    ['groundswell_freshness_seconds_bucket{le="+Inf"}', 100],
  ]);
const snapshots = (last: Map<string, number>): Scenario['snapshots'] => [
  { at: 0, samples: new Map(), cpuSeconds: new Map() },
  { at: 5, samples: last, cpuSeconds: new Map([['API', 1]]) },
];
const WELL: Scenario = {
  timeline: { seconds: [{ at: 0, users: 1, requests: new Map() }], faults: new Map() },
  steady: [],
  all: { ...taking(50), failed: 1 },
  reads: taking(90),
  writes: taking(240),
  ledger,
  miscounts: [],
  probed: seen([0.5, 1.9]),
  recordedAfterSeconds: null,
  drainSeconds: 0,
  snapshots: snapshots(freshness('2', 99)),
  wasLocustShort: false,
  cpuSeconds: 1,
};
/** The promises that were broken. */
const missed = (scenario: Scenario): string[] => judge(scenario).flatMap(({ what, isMet }) => (isMet ? [] : [what]));

it('a run at every bar, and not over it, keeps every promise', () => {
  expect(missed(WELL)).toEqual([]);
  expect(judge(WELL)).toHaveLength(10);
});

const BAD: readonly (readonly [string, Partial<Scenario>])[] = [
  ['accepted and not recorded', { ledger: { ...ledger, lost: 1 } }],
  ['recorded twice', { ledger: { ...ledger, doubled: 1 } }],
  ['recorded otherwise than sent', { ledger: { ...ledger, changed: 1 } }],
  ['recorded and never sent, or refused', { ledger: { ...ledger, invented: 1 } }],
  ['counts that differ from a recount', { miscounts: ['totals: a VIEW 2 1'] }],
  ['failed requests', { all: { ...WELL.all, failed: 2 } }],
  ['cached read, 99th percentile', { reads: taking(110) }],
  ['accept, 99th percentile', { writes: taking(280) }],
  ['accepted to recorded, 99th percentile', { snapshots: snapshots(freshness('2', 98)) }],
  ['accepted to recorded, 99th percentile', { recordedAfterSeconds: 2.1 }],
  ['accepted to visible, 99th percentile', { probed: seen([0.5, 2.1]) }],
];

it.each(BAD)('one promise is broken: %s', (what, bad) => {
  expect(missed({ ...WELL, ...bad })).toEqual([what]);
});

it.each([
  ['failed requests', { all: { requests: 0, failed: 0, ms: new Map() } }],
  ['cached read, 99th percentile', { reads: { requests: 0, failed: 0, ms: new Map() } }],
  ['accept, 99th percentile', { writes: { requests: 0, failed: 0, ms: new Map() } }],
  ['accepted to recorded, 99th percentile', { snapshots: [] }],
  ['accepted to visible, 99th percentile', { probed: seen([]) }],
])('what could not be measured is not kept: %s', (what, bad) => {
  expect(missed({ ...WELL, ...bad })).toEqual([what]);
});

it('the exit code is 0 when every promise was kept, and 1 with a line for each that was not', () => {
  expect(conclude({ verdicts: judge(WELL) }, null)).toEqual({ exitCode: 0, faults: [] });
  const verdicts = judge({ ...WELL, ledger: { ...ledger, lost: 3 }, reads: taking(110) });
  expect(conclude({ verdicts }, null)).toEqual({
    exitCode: 1,
    faults: [
      'MISSED: accepted and not recorded: 3 (0)',
      expect.stringMatching(/^MISSED: cached read.*: 11\d ms \(at most 100 ms\)$/),
    ],
  });
});

it('a peer that could not be measured makes it 1', () => {
  expect(conclude({ verdicts: judge(WELL) }, new Error('no Celery'))).toMatchObject({
    exitCode: 1,
    faults: [expect.stringContaining('no Celery')],
  });
});

/** Of one system, without saturation. */
const outcomeOf = (scenario: Scenario): LoadOutcome => ({
  options: {
    users: 1,
    seconds: 1,
    spawnRate: 1,
    locustWorkers: 1,
    peer: 'none',
    history: 1,
    saturationSeconds: 0,
    report: '',
  },
  at: new Date(0),
  machine: 'a machine',
  loadBefore: 0,
  systems: [{ title: 'Groundswell', scenario, verdicts: judge(scenario), saturation: null }],
});

it('report and summary mark the promise that was broken, and no other', () => {
  const outcome = outcomeOf({ ...WELL, ledger: { ...ledger, lost: 3 } });
  expect(report(outcome).match(/class="missed">[^<]*/g)).toEqual(['class="missed">3']);
  expect(summary(outcome).match(/.*MISSED.*/g)).toEqual(['| accepted and not recorded | 0 | 3 | MISSED |']);
});

it('CPU times have no column for a saturation that was not measured', () => {
  expect(summary(outcomeOf(WELL))).toContain('| CPU seconds of | users |\n| --- | --- |\n| API | 1.0 |\n');
});
