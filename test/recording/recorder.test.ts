import { afterAll, expect, test } from 'vitest';
import { createPostgresRecorder } from '../../src/adapters/postgres/postgres-recorder.ts';
import { describeRecorder } from '../contracts/recorder-contract.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
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

test('what is new is looked for among the known only for a minute after some of it was', async () => {
  await using recording = await createRecording(await createTestDatabase(), ['a']);
  const { url } = recording.migrated.server;
  let nowMs = Date.now();
  const recorder = createPostgresRecorder(recording.migrated.database, () => nowMs);
  const calls = async (): Promise<{ careless: number; careful: number }> => {
    const counts = (await statementCounts(url)).filter(({ query }) => query.includes('INSERT INTO interactions'));
    const careful = counts.filter(({ query }) => query.includes('ON CONFLICT (id) DO NOTHING'));
    const sum = (of: typeof counts): number => of.reduce((total, count) => total + count.calls, 0);
    await resetStatementCounts(url);
    return { careless: sum(counts) - sum(careful), careful: sum(careful) };
  };
  const [known, other] = [interaction(), interaction()];
  await resetStatementCounts(url);
  await recorder.record(entries(known));
  expect(await calls()).toEqual({ careless: 1, careful: 0 });
  // pg_stat_statements counts what was executed to its end: not the one that failed.
  expect(await recorder.record(entries(known, other))).toMatchObject({ recorded: 1, duplicates: 1 });
  expect(await calls()).toEqual({ careless: 0, careful: 1 });
  nowMs += 59_999;
  expect(await recorder.record(entries(interaction()))).toMatchObject({ recorded: 1, duplicates: 0 });
  expect(await calls()).toEqual({ careless: 0, careful: 1 });
  nowMs += 1;
  await recorder.record(entries(interaction()));
  expect(await calls()).toEqual({ careless: 1, careful: 0 });
  expect(await recording.totals()).toEqual(['a VIEW 4 1']);
});
