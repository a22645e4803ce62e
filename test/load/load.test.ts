import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareLedger } from '../../bench/load/compare-ledger.ts';
import { readLedger, type LedgerEntry } from '../../bench/load/ledger.ts';
import { recordedRow, type RecordedRow } from '../../bench/load/loaded-system.ts';
import { recountRollups } from '../../bench/load/recount-rollups.ts';
import { runLocust, type LocustResult } from '../../bench/load/run-locust.ts';
import { readTimeline, totals } from '../../bench/load/timeline.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { asAdmin, ask, startOnServers, type System } from '../end-to-end/system.ts';
import { query } from '../servers/query.ts';
import { testDirectory } from '../servers/test-run.ts';
import { waitFor } from '../servers/wait-for.ts';

const ITEMS = 30;
/** Busier than people are, and each write sent again one time in four. */
const BUSY = `
[requests]
resend_percent = 25
[web]
think_seconds = [0.05, 0.2]
[web.tasks]
browse = 3
like = 3
save = 1
retract = 2
[mobile]
think_seconds = [0.05, 0.2]`;
const catalogue = (prefix: string): string =>
  `[catalogue]\nprefix = "${prefix}"\ncount = ${ITEMS}\ncategories = ["one", "two"]\n${BUSY}`;

let system: System;
let databaseUrl: string;
let output: string;
let result: LocustResult;
let ledger: Map<string, LedgerEntry>;

const viewerOf = (deviceId: string): string => viewerKeyOf({ deviceId });
const accepted = (): LedgerEntry[] => [...ledger.values()].filter(({ outcome }) => outcome === 'accepted');

async function recorded(): Promise<RecordedRow[]> {
  const rows = await query(
    databaseUrl,
    `SELECT interactions.id, viewer, items.id AS item, type::text, retraction
     FROM interactions JOIN items ON items.key = item_key`,
  );
  return rows.map(recordedRow);
}

async function load(prefix: string, seconds: number): Promise<LocustResult> {
  const folder = testDirectory('load');
  output = mkdtempSync(join(folder, 'output-'));
  const config = join(folder, 'load.toml');
  writeFileSync(config, catalogue(prefix));
  const locustfile = 'locust/locustfile.py';
  return runLocust({ url: system.url, locustfile, users: 20, spawnRate: 20, seconds, workers: 2, output, config });
}

beforeAll(async () => {
  system = await startOnServers();
  if (system.databaseUrl === null) throw new Error('no database to look into');
  ({ databaseUrl } = system);
  const items = Array.from({ length: ITEMS }, (_, n) => ({
    id: `item-${n + 1}`,
    title: `Item ${n + 1}`,
    category: n % 2 === 0 ? 'one' : 'two',
  }));
  const upsert = 'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }';
  await ask(system, upsert, { items }, asAdmin);
  result = await load('item-', 10);
  ledger = readLedger(output);
  await waitFor('what was accepted to be recorded', async () => (await recorded()).length >= accepted().length);
}, 240_000);
afterAll(() => system[Symbol.asyncDispose]());

it('people on the web and on phones are served by two Locust processes, and every request is in the timeline', () => {
  expect(result.exitCode, result.log).toBe(0);
  const { requests, failed } = totals(readTimeline(output).seconds);
  expect(failed).toBe(0);
  const [, summed] = /Aggregated\s+(\d+)/.exec(result.log) ?? [];
  // Its master may not hear of what the workers did last.
  expect(requests).toBeGreaterThanOrEqual(Number(summed));
  expect(Number(summed)).toBeGreaterThan(0);
  const names = new Set(readTimeline(output).seconds.flatMap((second) => [...second.requests.keys()]));
  expect([...names].toSorted()).toEqual(
    expect.arrayContaining(['mobile: popular', 'mobile: views', 'mobile: views (again)', 'web: like', 'web: popular']),
  );
  const types = new Set(accepted().map(({ type, retraction }) => (retraction ? 'RETRACT' : type)));
  expect([...types].toSorted()).toEqual(['LIKE', 'RETRACT', 'SAVE', 'VIEW']);
});

it('every accepted interaction is recorded once as it was sent, those sent again included, and counted right', async () => {
  const verdict = compareLedger(ledger, await recorded(), viewerOf);
  expect(verdict).toMatchObject({ lost: 0, doubled: 0, changed: 0, invented: 0, unknown: 0, examples: [] });
  expect(verdict.accepted).toBeGreaterThan(100);
  expect(verdict.recorded).toBe(verdict.accepted);
  expect(await recountRollups(databaseUrl)).toEqual([]);
});

it('a person counted in another minute than theirs is found', async () => {
  await query(databaseUrl, 'UPDATE people SET minute = hour * 60 + (minute + 30) % 60');
  const differences = await recountRollups(databaseUrl);
  const [counted] = await query(databaseUrl, 'SELECT count(DISTINCT (item_key, hour, type))::int AS rows FROM people');
  expect(differences.filter((difference) => difference.startsWith('people'))).toHaveLength(Number(counted?.['rows']));
  expect(new Set(differences.map((difference) => difference.split(':')[0]))).toEqual(new Set(['minutes', 'people']));
  await query(databaseUrl, 'UPDATE people SET minute = hour * 60 + (minute + 30) % 60');
  expect(await recountRollups(databaseUrl)).toEqual([]);
});

it('a lost interaction and a count that is off by one are found', async () => {
  const [victim] = accepted().filter(({ type }) => type === 'VIEW');
  await query(databaseUrl, 'DELETE FROM interactions WHERE id = $1', [victim?.id]);
  const verdict = compareLedger(ledger, await recorded(), viewerOf);
  expect(verdict).toMatchObject({ lost: 1, doubled: 0, examples: [`lost ${victim?.id}`] });
  const differences = await recountRollups(databaseUrl);
  const tables = new Set(differences.map((difference) => difference.split(':')[0]));
  expect(tables).toEqual(new Set([...tables, 'days', 'hours', 'minutes', 'totals']));
});

it('what is refused inside an answer of 200 is a failure, and nothing that was accepted', async () => {
  const before = (await recorded()).length;
  const refused = await load('unknown-', 3);
  expect(refused.exitCode).toBe(1);
  const { faults, seconds } = readTimeline(output);
  expect([...faults.keys()]).toEqual(['user errors ITEM_NOT_FOUND']);
  const writes = totals(seconds, (name) => name === 'web: like');
  expect(writes.failed).toBeGreaterThan(0);
  const outcomes = new Set([...readLedger(output).values()].map(({ outcome }) => outcome));
  expect(outcomes.has('refused')).toBe(true);
  // People still see, and like, the items that are there.
  const since = [...readLedger(output).values()].filter(({ outcome }) => outcome !== 'refused');
  await waitFor('the rest to be recorded', async () => (await recorded()).length >= before);
  expect(since.every(({ outcome, item }) => outcome === 'unknown' || item.startsWith('item-'))).toBe(true);
});
