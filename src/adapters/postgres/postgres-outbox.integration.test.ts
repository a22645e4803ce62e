import { expect, it } from 'vitest';
import { createMigratedDatabase } from '../../../test/migrated-database.ts';
import { createOutboxQueue } from './postgres-outbox.ts';

it('waits for a commit no longer than its caller', async () => {
  await using migrated = await createMigratedDatabase();
  const { database } = migrated;
  await database.transaction(async (tx) => {
    await tx.$executeRaw`LOCK TABLE outbox`;
    const published = createOutboxQueue(database).publish([Buffer.from('{}')], { withinMs: 50 });
    await expect(published).rejects.toThrow('did not answer within 50 ms');
  });
});
