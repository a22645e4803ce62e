import { afterAll, expect, test } from 'vitest';
import { describeRecorder } from '../contracts/recorder-contract.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';
import { resetStatementCounts, statementCounts } from '../servers/statement-counts.ts';
import { createEmbeddedDatabase, stopEmbeddedPostgres } from './embedded-database.ts';
import { createRecording, entries, interaction } from './fixture.ts';

afterAll(stopEmbeddedPostgres);

describeRecorder('a Postgres server', createTestDatabase);
describeRecorder('the embedded Postgres', createEmbeddedDatabase);

test('a batch takes at most three statements, whatever its size', async () => {
  await using recording = await createRecording(await createTestDatabase(), ['a']);
  const { url } = recording.migrated.server;
  await recording.recorder.record(entries(interaction()));
  const batch = entries(
    ...Array.from({ length: 500 }, (_, n) => interaction({ user: `u${n}`, type: n % 2 === 0 ? 'LIKE' : 'VIEW' })),
  );
  await resetStatementCounts(url);
  await recording.recorder.record(batch);
  const statements = (await statementCounts(url)).filter(({ query }) => !/^(BEGIN|COMMIT)/i.test(query));
  expect(statements.reduce((sum, { calls }) => sum + calls, 0)).toBeLessThanOrEqual(3);
});

test('of views with one of an item that there is not, a batch takes the look-up and the write alone', async () => {
  await using recording = await createRecording(await createTestDatabase(), ['a']);
  const { url } = recording.migrated.server;
  await recording.recorder.record(entries(interaction()));
  await resetStatementCounts(url);
  const batch = entries(interaction(), interaction({ itemId: 'unknown' }));
  expect(await recording.recorder.record(batch)).toMatchObject({
    recorded: 1,
    rejected: [{ reason: 'ITEM_NOT_FOUND' }],
  });
  const statements = (await statementCounts(url)).filter(({ query }) => !/^(BEGIN|COMMIT)/i.test(query));
  expect(statements.map(({ calls }) => calls)).toEqual([1, 1]);
});

test('what is new is looked for among the known only for twenty batches after some of it was', async () => {
  await using recording = await createRecording(await createTestDatabase(), ['a']);
  const { recorder } = recording;
  const calls = countInserts(recording.migrated.server.url);
  const [known, other] = [interaction(), interaction()];
  await calls();
  await recorder.record(entries(known));
  expect(await calls()).toEqual({ careless: 1, careful: 0 });
  // pg_stat_statements counts what was executed to its end: not the one that failed.
  expect(await recorder.record(entries(known, other))).toMatchObject({ recorded: 1, duplicates: 1 });
  expect(await calls()).toEqual({ careless: 0, careful: 1 });
  for (let batch = 0; batch < 20; batch += 1) {
    expect(await recorder.record(entries(interaction()))).toMatchObject({ recorded: 1, duplicates: 0 });
  }
  expect(await calls()).toEqual({ careless: 0, careful: 20 });
  await recorder.record(entries(interaction()));
  expect(await calls()).toEqual({ careless: 1, careful: 0 });
  expect(await recording.totals()).toEqual(['a VIEW 23 1']);
});

test('an id that comes again and again is looked up by itself, and is new once its row is gone', async () => {
  await using recording = await createRecording(await createTestDatabase(), ['a', 'b']);
  const { recorder } = recording;
  const { url } = recording.migrated.server;
  const calls = countInserts(url);
  const sent = interaction({ itemId: 'a', type: 'LIKE' });
  const otherwise = { ...sent, itemId: 'b' };
  await recorder.record(entries(sent));
  await recorder.record(entries(sent));
  for (let batch = 0; batch < 20; batch += 1) await recorder.record(entries(interaction({ itemId: 'a' })));
  await calls();
  expect(await recorder.record(entries(sent, interaction()))).toMatchObject({
    recorded: 1,
    duplicates: 1,
    rejected: [],
  });
  const result = await recorder.record(entries(otherwise, interaction()));
  expect(result).toMatchObject({ recorded: 1, duplicates: 0, rejected: [{ reason: 'ID_REUSED' }] });
  expect(await recorder.record(entries(sent))).toMatchObject({ recorded: 0, duplicates: 1, rejected: [] });
  expect(await calls()).toEqual({ careless: 2, careful: 0 });
  expect(await recording.totals()).toEqual(['a VIEW 22 1', 'a LIKE 1 1']);

  await query(url, "DELETE FROM interactions WHERE type = 'LIKE'");
  expect(await recorder.record(entries(otherwise))).toMatchObject({ recorded: 1, duplicates: 0, rejected: [] });
  expect(await recording.totals()).toContain('b LIKE 1 1');
});

/** Since the last time it was asked: inserts that fail on an id recorded before, and those that look for conflicts. */
function countInserts(url: string): () => Promise<{ careless: number; careful: number }> {
  return async () => {
    const counts = (await statementCounts(url)).filter(({ query }) => query.includes('INSERT INTO interactions'));
    const careful = counts.filter(({ query }) => query.includes('ON CONFLICT (id) DO NOTHING'));
    const sum = (of: typeof counts): number => of.reduce((total, count) => total + count.calls, 0);
    await resetStatementCounts(url);
    return { careless: sum(counts) - sum(careful), careful: sum(careful) };
  };
}
