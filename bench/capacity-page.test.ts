import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../src/runtime/package-root.ts';
import { ASSUMPTIONS, TRAFFIC } from './capacity-inputs.ts';
import { readCosts, readPage, withTables } from './capacity-page.ts';

it('docs/capacity.md shows what the model makes of the last recorded run', () => {
  expect(withTables(readPage(), readCosts())).toBe(readPage());
});

it('the cost of PgBouncer is about what the last whole run of the load test spent on it', () => {
  const summary = readFileSync(join(packageRoot(), 'docs/load/summary.md'), 'utf8');
  const number = (row: RegExp): number => Number(row.exec(summary)?.[1]?.replaceAll(',', ''));
  const seconds = number(/^\| PgBouncer \| ([\d.]+) \|/m);
  const interactions = number(/^\| interactions accepted \| ([\d,]+) \|/m);
  const { poolerMicrosecondsPerInteraction: assumed } = ASSUMPTIONS;
  expect((seconds / interactions) * 1e6).toBeGreaterThan(assumed / 2);
  expect((seconds / interactions) * 1e6).toBeLessThan(assumed * 2);
});

it('other costs give other tables', () => {
  const costs = readCosts();
  const slower = { ...costs.cpuSeconds, record: { ...costs.cpuSeconds.record, worker: 0.001 } };
  expect(withTables(readPage(), { ...costs, cpuSeconds: slower })).not.toBe(readPage());
});

it('a plan that partitions what the code has one of is marked as not deployable', () => {
  const [, rows = ''] = withTables(readPage(), readCosts()).split('<!-- plans -->');
  const cells = (name: string): string[] =>
    (rows.split('\n').find((line) => line.startsWith(`| ${name} |`)) ?? '').split('|').slice(2, -1);
  const marks = cells("deployable with today's code").map((mark) => mark.trim());
  const engines = { Postgres: cells('Postgres, replicas with it'), Redis: cells('Redis, replicas with it') };
  const passes = cells('passes of the standings side by side').map(Number);
  expect(marks).toHaveLength(TRAFFIC.length);
  for (const [index, mark] of marks.entries()) {
    const needs = Object.entries(engines).flatMap(([name, plans]) =>
      plans[index]?.includes('partitions') === true ? [`a partitioned ${name}`] : [],
    );
    if (Number(passes[index]) > 1) needs.push('more than one pass of the standings');
    expect(mark).toBe(needs.length === 0 ? 'yes' : `no: needs ${needs.join(' and ')}`);
  }
  expect(marks[0]).toBe('yes');
  expect(marks.at(-1)).toBe(
    'no: needs a partitioned Postgres and a partitioned Redis and more than one pass of the standings',
  );
});

it('a page that lost a marker is refused', () => {
  expect(() => withTables(readPage().replace('<!-- plans -->', ''), readCosts())).toThrow('plans');
});
