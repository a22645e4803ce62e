import { describe, expect, it } from 'vitest';
import { newInteractionIdAt, occurredAtMs } from './interaction-id.ts';
import { parseInteraction, type ParsedInteraction, type RawInteraction } from './parse-interaction.ts';

const NOW = Date.parse('2026-11-23T12:00:00.000Z');
const DAY_MS = 86_400_000;
const VIEWER = '00000000-0000-8000-8000-000000000001';
const RAW: RawInteraction = {
  itemId: 'a',
  type: 'LIKE',
  retraction: false,
  id: null,
  occurredAt: null,
  metadata: null,
  idempotency: null,
  path: ['inputs', '3'],
};

const parse = (raw: Partial<RawInteraction>): ParsedInteraction =>
  parseInteraction({ ...RAW, ...raw }, VIEWER, NOW, 30);
function faults(raw: Partial<RawInteraction>): [string, string][] {
  const parsed = parse(raw);
  return parsed.ok ? [] : parsed.userErrors.map(({ code, field }) => [code, field.join('.')]);
}
function idOf(raw: Partial<RawInteraction>): string {
  const parsed = parse(raw);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.userErrors));
  return parsed.interaction.id;
}

describe('the id', () => {
  const own = newInteractionIdAt(NOW - 1_000);

  it('is the client’s own, in lower case', () => {
    expect(idOf({ id: own.toUpperCase() })).toBe(own);
  });

  it('comes before an Idempotency-Key', () => {
    const key = newInteractionIdAt(NOW - 2_000);
    expect(idOf({ id: own, idempotency: { key, part: null } })).toBe(own);
  });

  it('is the Idempotency-Key when that stands for one input', () => {
    expect(idOf({ idempotency: { key: own.toUpperCase(), part: null } })).toBe(own);
  });

  it('follows from the Idempotency-Key and the place among several inputs, the same each time', () => {
    const ids = ['0', '1', '0'].map((part) => idOf({ idempotency: { key: own, part } }));
    expect(ids[0]).toBe(ids[2]);
    expect(ids[0]).not.toBe(ids[1]);
    expect(ids.map(occurredAtMs)).toEqual([NOW - 1_000, NOW - 1_000, NOW - 1_000]);
    expect(occurredAtMs(idOf({ idempotency: { key: own, part: '0' }, occurredAt: new Date(NOW - DAY_MS) }))).toBe(
      NOW - DAY_MS,
    );
  });

  it('is made from occurredAt, or from now', () => {
    expect(occurredAtMs(idOf({ occurredAt: new Date(NOW - 5) }))).toBe(NOW - 5);
    const before = Date.now();
    const made = parseInteraction(RAW, VIEWER, before, 30);
    expect(made.ok && occurredAtMs(made.interaction.id)).toBeGreaterThanOrEqual(before);
  });

  it.each(['', 'nonsense', '0190163d-8694-4f3a-8a3a-000000000000', `${own} `, '\0', '\ud800'])(
    '%j is no UUIDv7',
    (id) => {
      expect(faults({ id })).toEqual([['INVALID_ID', 'inputs.3.id']]);
      expect(faults({ idempotency: { key: id, part: null } })).toEqual([['INVALID_ID', 'inputs.3.id']]);
      expect(faults({ idempotency: { key: id, part: '0' } })).toEqual([['INVALID_ID', 'inputs.3.id']]);
    },
  );
});

describe('the time', () => {
  it('must be the millisecond in the id', () => {
    const id = newInteractionIdAt(NOW);
    expect(faults({ id, occurredAt: new Date(NOW) })).toEqual([]);
    expect(faults({ id, occurredAt: new Date(NOW + 1) })).toEqual([['TIME_MISMATCH', 'inputs.3.occurredAt']]);
    expect(faults({ idempotency: { key: id, part: null }, occurredAt: new Date(NOW + 1) })).toEqual([
      ['TIME_MISMATCH', 'inputs.3.occurredAt'],
    ]);
  });

  it('may be 5 minutes ahead', () => {
    expect(faults({ occurredAt: new Date(NOW + 300_000) })).toEqual([]);
    expect(faults({ occurredAt: new Date(NOW + 300_001) })).toEqual([['TIME_IN_FUTURE', 'inputs.3.occurredAt']]);
    expect(faults({ id: newInteractionIdAt(NOW + 300_001) })).toEqual([['TIME_IN_FUTURE', 'inputs.3.id']]);
  });

  it('may be as long ago as configured', () => {
    expect(faults({ occurredAt: new Date(NOW - 30 * DAY_MS) })).toEqual([]);
    expect(faults({ occurredAt: new Date(NOW - 30 * DAY_MS - 1) })).toEqual([['TIME_TOO_OLD', 'inputs.3.occurredAt']]);
    expect(faults({ id: newInteractionIdAt(NOW - 31 * DAY_MS) })).toEqual([['TIME_TOO_OLD', 'inputs.3.id']]);
  });

  it('may not be before 1970 or past what an id can name', () => {
    expect(faults({ occurredAt: new Date(-1) })).toEqual([['TIME_TOO_OLD', 'inputs.3.occurredAt']]);
    expect(faults({ occurredAt: new Date(2 ** 48) })).toEqual([['TIME_IN_FUTURE', 'inputs.3.occurredAt']]);
  });
});

describe('item and metadata', () => {
  it.each(['', 'x'.repeat(257), 'a\0', '\udc00'])('%j is no item id', (itemId) => {
    expect(faults({ itemId })).toEqual([['INVALID_ITEM_ID', 'inputs.3.itemId']]);
  });

  it('keeps 4 KiB of metadata', () => {
    expect(parse({ metadata: { page: 3 } })).toMatchObject({ ok: true, interaction: { metadata: { page: 3 } } });
    expect(faults({ metadata: 'x'.repeat(4_095) })).toEqual([['METADATA_TOO_LARGE', 'inputs.3.metadata']]);
    expect(faults({ metadata: { x: JSON.parse('1e400') } })).toEqual([['INVALID_METADATA', 'inputs.3.metadata']]);
  });

  it('names every fault of an input at once', () => {
    expect(faults({ itemId: '', id: 'x', metadata: '\0' }).map(([code]) => code)).toEqual([
      'INVALID_ITEM_ID',
      'INVALID_METADATA',
      'INVALID_ID',
    ]);
  });
});
