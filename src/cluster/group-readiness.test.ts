import { expect, it } from 'vitest';
import type { ReadinessReport } from '../runtime/readiness.ts';
import { groupReadiness, parseReport } from './group-readiness.ts';

const postgres = (problem: string | null) => ({ name: 'postgres', required: true, ready: problem === null, problem });
const well: ReadinessReport = { ready: true, draining: false, parts: [postgres(null)] };
const unwell: ReadinessReport = { ready: false, draining: false, parts: [postgres('away')] };
const running = { wanted: 2, draining: false };

it('all ready: ready', () => {
  expect(groupReadiness([well, well], running)).toEqual({
    ready: true,
    draining: false,
    parts: [postgres(null), { name: 'API processes', required: false, ready: true, problem: null }],
  });
});

it.each([
  ['away', [well]],
  ['not ready', [unwell, well]],
])('one of two %s: ready, and it says what is missing', (_, reports) => {
  expect(groupReadiness(reports, running)).toEqual({
    ready: true,
    draining: false,
    parts: [postgres(null), { name: 'API processes', required: false, ready: false, problem: '1 of 2 ready' }],
  });
});

it('none ready: not ready, with what the processes themselves say', () => {
  expect(groupReadiness([unwell, unwell], running)).toEqual({
    ready: false,
    draining: false,
    parts: [postgres('away'), { name: 'API processes', required: true, ready: false, problem: 'none of 2 ready' }],
  });
});

it('every process gone: not ready', () => {
  expect(groupReadiness([], running)).toMatchObject({
    ready: false,
    parts: [{ name: 'API processes', required: true }],
  });
});

it('draining: not ready, however well the processes are', () => {
  expect(groupReadiness([well, well], { ...running, draining: true })).toMatchObject({ ready: false, draining: true });
});

it('what another process sent is taken only as far as it is a report', () => {
  expect(parseReport(JSON.parse(JSON.stringify(unwell)))).toEqual(unwell);
  expect(parseReport({ ...well, parts: [postgres(null), 'x', { name: 1 }] })).toEqual(well);
  for (const value of [undefined, null, 'x', [], { ready: true }]) expect(parseReport(value)).toBeUndefined();
});
