import { expect, it } from 'vitest';
import { compareLedger } from './compare-ledger.ts';
import type { LedgerEntry, Outcome } from './ledger.ts';
import type { RecordedRow } from './loaded-system.ts';

const entry = (id: string, outcome: Outcome): LedgerEntry => ({ ...row(id), viewer: 'ann', outcome });
const row = (id: string, more: Partial<RecordedRow> = {}): RecordedRow => ({
  id,
  viewer: 'key of ann',
  item: 'book-1',
  type: 'LIKE',
  retraction: false,
  ...more,
});
const compare = (entries: LedgerEntry[], rows: RecordedRow[]) =>
  compareLedger(new Map(entries.map((each) => [each.id, each])), rows, (viewer) => `key of ${viewer}`);

it('finds nothing where every accepted interaction is there once', () => {
  const entries = [entry('a', 'accepted'), entry('b', 'refused'), entry('c', 'unknown'), entry('d', 'unknown')];
  expect(compare(entries, [row('a'), row('c')])).toEqual({
    accepted: 1,
    recorded: 2,
    lost: 0,
    doubled: 0,
    changed: 0,
    invented: 0,
    unknown: 2,
    unknownRecorded: 1,
    examples: [],
  });
});

it('an accepted interaction that is not there is lost', () => {
  expect(compare([entry('a', 'accepted')], [])).toMatchObject({ lost: 1, examples: ['lost a'] });
});

it('one that is there twice is doubled, once however often', () => {
  expect(compare([entry('a', 'accepted')], [row('a'), row('a'), row('a')])).toMatchObject({ doubled: 1, lost: 0 });
});

it.each([{ item: 'book-2' }, { type: 'SAVE' }, { viewer: 'key of bob' }, { retraction: true }])(
  'one recorded with %o is changed',
  (more) => {
    expect(compare([entry('a', 'accepted')], [row('a', more)])).toMatchObject({ changed: 1, lost: 0 });
  },
);

it('one that was refused or never sent is invented', () => {
  expect(compare([entry('a', 'refused')], [row('a'), row('b')])).toMatchObject({ invented: 2 });
});
