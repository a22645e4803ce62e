import { expect, it } from 'vitest';
import { newInteractionIdAt } from '../interactions/interaction-id.ts';
import { viewerKeyOf } from '../interactions/viewer-key.ts';
import { createInteractionRowParser, type InteractionRowOptions } from './interaction-rows.ts';
import type { JsonObject } from './read-table.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const OPTIONS: InteractionRowOptions = { type: null, columns: new Map(), where: [], retentionDays: 0, nowMs: NOW };
const GOOD = { itemId: 'a', userId: 'ann', type: 'VIEW', occurredAt: '2025-12-31 12:00' };

function parse(object: JsonObject, options: Partial<InteractionRowOptions> = {}) {
  const parser = createInteractionRowParser({ columns: null, path: 'x' }, { ...OPTIONS, ...options });
  return parser({ line: 1, kind: 'object', object });
}

it('reads a row; type in any case, a user before a device', () => {
  expect(parse({ ...GOOD, type: 'like', deviceId: 'phone', metadata: { a: 1 } })).toEqual({
    id: null,
    itemId: 'a',
    viewer: viewerKeyOf({ userId: 'ann' }),
    type: 'LIKE',
    atMs: Date.parse('2025-12-31T12:00:00Z'),
    metadata: { a: 1 },
  });
  expect(parse({ ...GOOD, userId: '', deviceId: 'phone' })).toMatchObject({
    viewer: viewerKeyOf({ deviceId: 'phone' }),
  });
});

it('an id gives the time when there is none, and must agree with it', () => {
  const atMs = Date.parse('2025-01-01T00:00:00Z');
  const id = newInteractionIdAt(atMs);
  expect(parse({ ...GOOD, occurredAt: null, id: id.toUpperCase() })).toMatchObject({ id, atMs });
  expect(parse({ ...GOOD, id })).toBe('has another time than its id');
});

it.each([
  [{ itemId: '' }, 'itemId "" is no item id'],
  [{ itemId: 'x'.repeat(257) }, 'is no item id'],
  [{ itemId: 'a\u0000' }, 'is no item id'],
  [{ itemId: 'caf\uFFFD' }, 'is no item id'],
  [{ userId: '' }, 'says of nobody who it was'],
  [{ type: 'HATE' }, 'type "HATE" is none of VIEW'],
  [{ type: '' }, 'has no type'],
  [{ occurredAt: 'x' }, 'occurredAt "x" is no time'],
  [{ occurredAt: '' }, 'is no time'],
  [{ occurredAt: '1969-12-31' }, 'before 1970'],
  [{ occurredAt: '2026-01-01 00:06' }, 'in the future'],
  [{ id: '17' }, 'id "17" is no UUIDv7'],
  [{ metadata: 'no' }, 'metadata is not JSON'],
  [{ metadata: { a: 'x\u0000' } }, 'cannot be stored'],
  [{ metadata: '{"a":1e999}' }, 'cannot be stored'],
  [{ metadata: 'x'.repeat(5_000).replace(/^.*$/, '"$&"') }, 'metadata is over 4096 bytes'],
])('%j: %s', (change, fault) => {
  expect(parse({ ...GOOD, ...change })).toContain(fault);
});

it('older than RETENTION_DAYS is a bad row', () => {
  expect(parse(GOOD, { retentionDays: 1 })).not.toBeTypeOf('string');
  expect(parse({ ...GOOD, occurredAt: '2025-12-30' }, { retentionDays: 1 })).toBe(
    'happened over RETENTION_DAYS (1) ago',
  );
});

it('every missing column is named, beside those that are there', () => {
  const table = { columns: ['reviewerId', 'vendorId', 'date'], path: 'r.csv' };
  const where = [{ column: 'rating', matches: () => true }];
  expect(() =>
    createInteractionRowParser(table, { ...OPTIONS, columns: new Map([['itemId', 'vendor']]), where }),
  ).toThrow(
    'r.csv has no column vendor (itemId), no column userId or deviceId, no column type, no column occurredAt or id, ' +
      'no column vendor, no column rating; it has reviewerId, vendorId, date. See --columns',
  );
});

it('--type on a file that has types is contradictory', () => {
  const table = { columns: ['itemId', 'userId', 'type', 'occurredAt'], path: 'x.csv' };
  expect(() => createInteractionRowParser(table, { ...OPTIONS, type: 'VIEW' })).toThrow(
    'x.csv has types in column type',
  );
  expect(() =>
    createInteractionRowParser(table, { ...OPTIONS, type: 'VIEW', columns: new Map([['type', '']]) }),
  ).not.toThrow();
});
