import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Interaction } from '../interactions/interaction.ts';
import type { RecordEntry } from '../interactions/recorder.ts';
import type { ItemInput } from '../items/item.ts';
import { parseImportArguments } from './import-arguments.ts';
import type { ImportTally } from './import-report.ts';
import { runImport, type ImportVerdict } from './run-import.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-import-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** A store that keeps to the ports' contracts, in memory. */
function createStore() {
  const items = new Map<string, ItemInput>();
  const hidden = new Set<string>();
  const recorded = new Map<string, Interaction>();
  let refreshes = 0;
  return {
    itemsById: items,
    hidden,
    recorded,
    refreshes: () => refreshes,
    ports: {
      recorder: {
        async record(batch: readonly RecordEntry[]) {
          const fresh = batch.filter(({ interaction }) => !recorded.has(interaction.id));
          for (const { interaction } of fresh) recorded.set(interaction.id, interaction);
          return {
            recorded: fresh.length,
            duplicates: batch.length - fresh.length,
            discarded: [],
            rejected: [],
            skipped: 0,
          };
        },
        reject: async () => undefined,
      },
      items: {
        find: async () => [],
        known: async (ids: readonly string[]) => new Set(ids.filter((id) => items.has(id) && !hidden.has(id))),
        hidden: async (ids: readonly string[]) => new Set(ids.filter((id) => hidden.has(id))),
        async upsert(inputs: readonly ItemInput[]) {
          for (const input of inputs) items.set(input.id, input);
          return [];
        },
        async createMissing(inputs: readonly ItemInput[]) {
          for (const input of inputs) if (!items.has(input.id)) items.set(input.id, input);
          return 0;
        },
        hide: async () => [],
        isEmpty: async () => items.size === 0,
        changes: async () => ({ generation: 1n, recentlyHidden: [] }),
      },
      standings: {
        async refresh() {
          refreshes += 1;
          return { led: true, touchedItems: 1, more: refreshes < 3, asOf: new Date() };
        },
        asOf: async () => new Date(),
      },
    },
  };
}

interface Outcome {
  readonly verdict: ImportVerdict;
  readonly tallies: ImportTally[];
  readonly badRows: string[];
}

async function run(
  store: ReturnType<typeof createStore>,
  files: Record<string, string>,
  ...args: string[]
): Promise<Outcome> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const parsed = parseImportArguments(args.map((arg) => (arg in files ? join(folder, arg) : arg)));
  if (parsed.kind !== 'run') throw new Error(parsed.kind);
  const badRows: string[] = [];
  const tallies: ImportTally[] = [];
  const verdict = await runImport(store.ports, parsed.arguments, {
    retentionDays: 0,
    nowMs: Date.now(),
    signal: new AbortController().signal,
    observe: () => ({ onProgress: () => undefined, onBadRow: (line, fault) => badRows.push(`${line}: ${fault}`) }),
    onFile: ({ tally }) => tallies.push(tally),
  });
  return { verdict, tallies, badRows };
}

const ROWS =
  'itemId,userId,type,occurredAt\na,ann,VIEW,2006-04-07 17:08\na,ann,VIEW,2006-04-07 17:08\nb,bob,LIKE,2006-04-07 17:09\n';
const CREATE = ['--interactions', 'rows.csv', '--create-items'];

it('equal rows count each, and importing the file again changes nothing', async () => {
  const store = createStore();
  const first = await run(store, { 'rows.csv': ROWS }, ...CREATE);
  expect(first).toMatchObject({ verdict: 'imported', tallies: [{ rows: 3, recorded: 3, known: 0, bad: 0 }] });
  expect(store.refreshes()).toBe(3);
  const second = await run(store, { 'rows.csv': ROWS }, ...CREATE);
  expect(second).toMatchObject({ verdict: 'imported', tallies: [{ rows: 3, recorded: 0, known: 3, bad: 0 }] });
  expect(store.recorded.size).toBe(3);
});

it('--create-items leaves the items that are there as they are', async () => {
  const store = createStore();
  const files = { 'items.csv': 'id,title\na,Anna Karenina\n', 'rows.csv': ROWS };
  await run(store, files, '--items', 'items.csv', ...CREATE);
  expect([...store.itemsById.values()].map(({ id, title }) => `${id} ${title}`)).toEqual(['a Anna Karenina', 'b b']);
});

it('a row of an unknown item is bad, named by its line, and the others are recorded', async () => {
  const store = createStore();
  const files = { 'items.csv': 'id,title\na,A\n', 'rows.csv': `${ROWS}a,ann,VIEW,nonsense\n` };
  const outcome = await run(store, files, '--items', 'items.csv', '--interactions', 'rows.csv');
  expect(outcome.verdict).toBe('bad-rows');
  expect(outcome.badRows.toSorted()).toEqual([
    '4: item "b" is unknown or hidden (--create-items makes unknown ones)',
    '5: occurredAt "nonsense" is no time',
  ]);
  expect(store.recorded.size).toBe(2);
});

it.each([
  ['without --create-items', [], 'is unknown or hidden (--create-items makes unknown ones)'],
  ['with --create-items', ['--create-items'], 'is hidden'],
])('a row of a hidden item is bad %s, also where everything is checked first', async (_, args, fault) => {
  const store = createStore();
  const files = { 'items.csv': 'id,title\na,A\nb,B\n', 'rows.csv': ROWS };
  await run(store, files, '--items', 'items.csv');
  store.hidden.add('b');
  const all = ['--interactions', 'rows.csv', ...args];
  for (const more of [[], ['--items', 'items.csv']]) {
    const checked = await run(store, files, ...all, ...more, '--on-error', 'abort');
    expect(checked).toMatchObject({ verdict: 'nothing-imported', badRows: [`4: item "b" ${fault}`] });
  }
  const outcome = await run(store, files, ...all);
  expect(outcome).toMatchObject({ verdict: 'bad-rows', badRows: [`4: item "b" ${fault}`] });
  expect([...store.recorded.values()].map(({ itemId }) => itemId)).toEqual(['a', 'a']);
});

it('--on-error abort imports nothing when one row is bad, and everything when none is', async () => {
  const store = createStore();
  const args = ['--items', 'items.csv', '--interactions', 'rows.csv', '--on-error', 'abort'];
  const bad = await run(store, { 'items.csv': 'id,title\na,A\n', 'rows.csv': ROWS }, ...args);
  expect(bad).toMatchObject({
    verdict: 'nothing-imported',
    badRows: [expect.stringMatching(/^4: item "b" is unknown/)],
  });
  expect([store.itemsById.size, store.recorded.size]).toEqual([0, 0]);
  const good = await run(store, { 'items.csv': 'id,title\na,A\nb,B\n', 'rows.csv': ROWS }, ...args);
  expect(good.verdict).toBe('imported');
  expect([store.itemsById.size, store.recorded.size]).toEqual([2, 3]);
});

it('--where leaves rows out before they are looked at any closer', async () => {
  const store = createStore();
  const rows = 'itemId,userId,occurredAt,rating\na,ann,2006-04-07,5\na,bob,nonsense,1\n';
  const outcome = await run(store, { 'rows.csv': rows }, ...CREATE, '--type', 'LIKE', '--where', 'rating>=4');
  expect(outcome).toMatchObject({ verdict: 'imported', tallies: [{ rows: 2, recorded: 1, leftOut: 1, bad: 0 }] });
});

it('a missing second file is noticed before the first is imported', async () => {
  const store = createStore();
  const attempt = run(
    store,
    { 'items.csv': 'id,title\na,A\n' },
    '--items',
    'items.csv',
    '--interactions',
    join(folder, 'none.csv'),
  );
  await expect(attempt).rejects.toThrow(/none\.csv does not exist$/);
  expect(store.itemsById.size).toBe(0);
});
