import { expect, it } from 'vitest';
import { describeQueueContract } from '../../../test/contracts/queue-contract.ts';
import { createMigratedDatabase } from '../../../test/migrated-database.ts';
import { query } from '../../../test/servers/query.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createOutboxQueue, createOutboxSource } from './postgres-outbox.ts';

describeQueueContract('the outbox in Postgres', async () => {
  const migrated = await createMigratedDatabase();
  const { database, server } = migrated;
  return {
    queue: createOutboxQueue(database),
    createSource: ({ prefetch }) =>
      createOutboxSource({ database, prefetch, pollMs: 10, logger: createLogger('silent', 'test') }),
    // The recorder deletes them in its transaction.
    async commit(deliveries) {
      await query(server.url, 'DELETE FROM outbox WHERE seq = ANY($1::bigint[])', [
        deliveries.map(({ outboxSeq }) => String(outboxSeq)),
      ]);
    },
    closeQueue: () => database.close(),
    dispose: () => migrated[Symbol.asyncDispose](),
  };
});

it('waits for a commit no longer than its caller', async () => {
  await using migrated = await createMigratedDatabase();
  const { database } = migrated;
  await database.transaction(async (tx) => {
    await tx.$executeRaw`LOCK TABLE outbox`;
    const published = createOutboxQueue(database).publish([Buffer.from('{}')], { withinMs: 50 });
    await expect(published).rejects.toThrow('did not answer within 50 ms');
  });
});
