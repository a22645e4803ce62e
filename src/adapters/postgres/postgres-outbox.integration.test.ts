import { expect, it } from 'vitest';
import { createMigratedDatabase } from '../../../test/migrated-database.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createOutboxQueue, createOutboxSource } from './postgres-outbox.ts';

it('waits for a commit no longer than its caller', async () => {
  await using migrated = await createMigratedDatabase();
  const { database } = migrated;
  await database.transaction(async (tx) => {
    await tx.$executeRaw`LOCK TABLE outbox`;
    const published = createOutboxQueue(database).publish([Buffer.from('{}')], { withinMs: 50 });
    await expect(published).rejects.toThrow('did not answer within 50 ms');
  });
});

it('is left within the time given, though Postgres does not answer', async () => {
  await using migrated = await createMigratedDatabase();
  const { database } = migrated;
  const source = createOutboxSource({ database, prefetch: 1, pollMs: 1, logger: createLogger('silent', 'test') });
  await database.transaction(async (tx) => {
    await tx.$executeRaw`LOCK TABLE outbox`;
    const ignore = (): void => undefined;
    await source.start(ignore, ignore);
    const sinceMs = performance.now();
    await source.stop(50);
    await source.close();
    expect(performance.now() - sinceMs).toBeLessThan(1_000);
  });
});
