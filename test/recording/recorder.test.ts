import { afterAll, expect, test } from 'vitest';
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
