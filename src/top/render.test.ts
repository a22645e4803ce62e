import { expect, it } from 'vitest';
import type { PartGauges } from './part-gauges.ts';
import { parseMetrics } from './prometheus-text.ts';
import { renderSnapshot } from './render.ts';
import { sawSomething, snapshotBetween, type Look } from './snapshot.ts';

const AWAY = { up: false, fault: 'connect ECONNREFUSED postgres://app:hunter2@db' } as const;
const WELL: PartGauges = {
  primary: {
    up: true,
    value: {
      answersInMs: 1.2,
      connections: 12,
      maxConnections: 100,
      commits: 1_000,
      outbox: 100_000,
      rejected: 0,
      standingsAgeMs: 400,
    },
  },
  replicas: [{ name: 'replica 1', lag: { up: true, value: { lagMs: 3 } } }],
  queue: { up: true, value: { ready: 1_234, consumers: 2 } },
  cache: { up: true, value: { answersInMs: 0.4 } },
};

function look(atMs: number, metrics: string | null, parts: PartGauges): Look {
  const value = { samples: parseMetrics(metrics ?? ''), ready: true, problems: [] };
  return {
    atMs,
    processes: new Map([['http://api:9464', metrics === null ? AWAY : { up: true, value }]]),
    parts,
  };
}

function page(scale: number): string {
  return [
    `groundswell_http_requests_total{status="200"} ${100 * scale}`,
    `groundswell_http_requests_total{status="503"} ${2 * scale}`,
    `groundswell_published_total{queue="rabbitmq"} ${50 * scale}`,
    `groundswell_recorded_total{outcome="recorded"} ${40 * scale}`,
    `groundswell_response_cache_total{outcome="hit"} ${30 * scale}`,
    `groundswell_response_cache_total{outcome="miss"} ${10 * scale}`,
    `groundswell_record_batch_size_sum ${40 * scale}`,
    `groundswell_record_batch_size_count ${2 * scale}`,
  ].join('\n');
}

function withCommits(commits: number): PartGauges {
  if (!WELL.primary.up) return WELL;
  return { ...WELL, primary: { up: true, value: { ...WELL.primary.value, commits } } };
}

it('shows rates per second between two looks, and marks what wants attention', () => {
  const snapshot = snapshotBetween(look(0, page(1), WELL), look(2_000, page(3), withCommits(1_060)));
  expect(snapshot.requests).toMatchObject({ perSecond: 102, failedPerSecond: 2 });
  expect(snapshot.recorded).toMatchObject({ perSecond: 40, batchMeanItems: 20 });
  expect(snapshot.cache.hitShare).toBe(0.75);
  const text = renderSnapshot(snapshot, { colour: false, columns: 0 }).join('\n');
  expect(text).toContain('ready         http://api:9464');
  expect(text).toMatch(/requests +102\/s .*! 5xx 2\/s/);
  expect(text).toMatch(/accepted +RabbitMQ 50\/s {2}outbox 0\/s/);
  expect(text).toContain('1,234 waiting  2 consumers');
  expect(text).toContain('100,000 or more waiting');
  expect(text).toContain('commits 30/s');
  expect(text).toContain('3 ms behind');
});

it('says of parts that are away that they are, without a password, and shows no rates of a process just met', () => {
  const parts: PartGauges = { primary: AWAY, replicas: [{ name: 'replica 1', lag: AWAY }], queue: AWAY, cache: null };
  const nothing = snapshotBetween(look(0, null, parts), look(1_000, null, parts));
  expect(sawSomething(nothing)).toBe(false);
  const text = renderSnapshot(nothing, { colour: false, columns: 0 }).join('\n');
  expect(text.match(/! away/g)).toHaveLength(4);
  expect(text).toContain('in memory, per process');
  expect(text).not.toContain('hunter2');
  const met = snapshotBetween(look(0, null, parts), look(1_000, page(5), parts));
  expect(met.requests.perSecond).toBe(0);
  expect(sawSomething(met)).toBe(true);
});

it('cuts lines at the width of the terminal, escape sequences not counted', () => {
  const snapshot = snapshotBetween(look(0, page(1), WELL), look(2_000, page(3), WELL));
  const lines = renderSnapshot(snapshot, { colour: true, columns: 60 });
  expect(lines.some((line) => line.includes('\u001B[31m'))).toBe(true);
  // oxlint-disable-next-line no-control-regex -- escape sequences are what is looked for
  for (const line of lines) expect(line.replaceAll(/\u001B\[\d+m/g, '').length).toBeLessThanOrEqual(60);
});
