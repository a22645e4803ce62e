import { Client } from 'pg';
import { expect, test } from 'vitest';
import { createPostgresMaintenance } from '../../src/adapters/postgres/postgres-partitions.ts';
import { UnavailableError } from '../../src/runtime/errors.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { createRecording, entries, interaction, type Recording } from './fixture.ts';

const DAY_MS = 86_400_000;
const month = (ms: number): string => new Date(ms).toISOString().slice(0, 7).replace('-', '');

async function partitions({ sql }: Recording): Promise<string[]> {
  const rows = await sql(`
    SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('interactions'::regclass, 'people'::regclass) AND c.relname ~ '_[0-9]{6}$'`);
  return rows.map(({ name }) => String(name)).toSorted((a, b) => (a < b ? -1 : 1));
}

test('a month older than is kept goes with its raw interactions, and what they counted stays', async () => {
  await using recording = await createRecording(await createTestDatabase(), ['a']);
  const maintenance = createPostgresMaintenance(recording.migrated.database);
  // Their months differ, whatever the day: 40 days apart from what is kept.
  const [oldMs, keptMs] = [Date.now() - 70 * DAY_MS, Date.now() - 30 * DAY_MS];
  const kept = interaction({ atMs: keptMs });
  await recording.recorder.record(
    entries(interaction({ atMs: oldMs }), interaction({ atMs: oldMs, type: 'LIKE' }), kept),
  );
  const rollups = () =>
    recording.sql(`
      SELECT 'hours' AS rollup, hour AS bucket, type, events, people FROM hours
      UNION ALL SELECT 'days', day, type, events, people FROM days
      UNION ALL SELECT 'totals', 0, type, events, people FROM totals ORDER BY 1, 2, 3`);
  const counted = await rollups();
  expect(counted).toHaveLength(8);

  expect(await maintenance.dropPartitions(0)).toEqual([]);
  expect(await recording.sql('SELECT FROM interactions')).toHaveLength(3);
  expect(await maintenance.dropPartitions(30)).toEqual([month(oldMs)]);
  const left = await partitions(recording);
  expect(left).toEqual(expect.arrayContaining([`interactions_${month(keptMs)}`, `people_${month(keptMs)}`]));
  expect(left).not.toContain(`interactions_${month(oldMs)}`);
  expect(left).not.toContain(`people_${month(oldMs)}`);
  expect(await recording.sql('SELECT id::text FROM interactions')).toEqual([{ id: kept.id }]);
  expect(await rollups()).toEqual(counted);
  expect(await recording.sql('SELECT type FROM reactions WHERE since_id IS NOT NULL')).toEqual([{ type: 'LIKE' }]);
  expect(await maintenance.dropPartitions(30)).toEqual([]);
});

test('a month that somebody reads stays until the next time, and recording does not wait for it', async () => {
  const server = await createTestDatabase();
  await using recording = await createRecording(server, ['a']);
  const maintenance = createPostgresMaintenance(recording.migrated.database);
  const oldMs = Date.now() - 70 * DAY_MS;
  await recording.recorder.record(entries(interaction({ atMs: oldMs })));
  const backup = new Client({ connectionString: server.url });
  await backup.connect();
  try {
    await backup.query('BEGIN');
    await backup.query(`SELECT count(*) FROM interactions_${month(oldMs)}`);
    expect(await maintenance.dropPartitions(30)).toEqual([]);
    expect(await recording.recorder.record(entries(interaction({ atMs: Date.now() })))).toMatchObject({ recorded: 1 });
  } finally {
    await backup.end();
  }
  expect(await maintenance.dropPartitions(30)).toEqual([month(oldMs)]);
});

test('what comes late for a month that was dropped is recorded when it is tried again', async () => {
  await using recording = await createRecording(await createTestDatabase(), ['a']);
  const lateBatch = () => entries(interaction({ atMs: Date.now() - 70 * DAY_MS }));
  await recording.recorder.record(lateBatch());
  await createPostgresMaintenance(recording.migrated.database).dropPartitions(30);
  const late = lateBatch();
  await expect(recording.recorder.record(late)).rejects.toThrow(UnavailableError);
  expect(await recording.recorder.record(late)).toMatchObject({ recorded: 1, rejected: [] });
});

test('every month of a span gets its partitions before anything falls in it, from several workers at once', async () => {
  await using recording = await createRecording(await createTestDatabase(), ['a']);
  const { database } = recording.migrated;
  const [from, to] = [Date.UTC(2030, 0, 31, 23), Date.UTC(2030, 2, 1)];
  await Promise.all(Array.from({ length: 3 }, () => createPostgresMaintenance(database).ensurePartitions(from, to)));
  const made = (await partitions(recording)).filter((name) => name.includes('_2030'));
  expect(made).toEqual(
    ['interactions', 'people'].flatMap((table) => ['203001', '203002', '203003'].map((name) => `${table}_${name}`)),
  );
});

test('minutes that no HOUR as of the last 48 hours reaches are purged, however many, and the others stay', async () => {
  await using recording = await createRecording(await createTestDatabase(), ['a']);
  const newest = Math.floor(Date.now() / 60_000);
  const reached = newest - 49 * 60;
  // More than one chunk of what has to go; what lies between may stay or go.
  await recording.sql(`
    INSERT INTO minutes (item_key, minute, type, events, people)
    SELECT key, minute, 'VIEW', 1, 1 FROM items, generate_series(${reached - 12_000}, ${newest}) AS minute
    WHERE minute NOT BETWEEN ${reached - 60} AND ${reached - 1}`);
  expect(await createPostgresMaintenance(recording.migrated.database).purgeMinutes()).toBe(11_940);
  expect(await recording.sql('SELECT min(minute), max(minute), count(*)::int FROM minutes')).toEqual([
    { min: reached, max: newest, count: 49 * 60 + 1 },
  ]);
});
