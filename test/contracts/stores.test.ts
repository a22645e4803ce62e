import { afterAll } from 'vitest';
import { createPostgresInteractionReader } from '../../src/adapters/postgres/postgres-interaction-reader.ts';
import { createPostgresItemStore } from '../../src/adapters/postgres/postgres-item-store.ts';
import { createOutboxQueue, createOutboxSource } from '../../src/adapters/postgres/postgres-outbox.ts';
import { createPostgresPopularityReader } from '../../src/adapters/postgres/postgres-popularity-reader.ts';
import { createPostgresRankingStore } from '../../src/adapters/postgres/postgres-ranking-store.ts';
import { createPostgresStandings } from '../../src/adapters/postgres/postgres-standings.ts';
import { encodeMessage } from '../../src/interactions/message.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { createMemoryInteractionReader } from '../fakes/memory-interaction-reader.ts';
import { createMemoryItemStore } from '../fakes/memory-item-store.ts';
import { createMemoryPopularityReader, rankedItems } from '../fakes/memory-popularity-reader.ts';
import { createMemoryRankingStore, RANKINGS } from '../fakes/memory-ranking-store.ts';
import { createMigratedDatabase, type MigratedDatabase } from '../migrated-database.ts';
import { createEmbeddedDatabase, stopEmbeddedPostgres } from '../recording/embedded-database.ts';
import { createRecording, entries, interaction } from '../recording/fixture.ts';
import { createTestDatabase, type TestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';
import { interactionReaderContract, READER_ITEMS } from './interaction-reader-contract.ts';
import { itemStoreContract } from './item-store-contract.ts';
import { popularityReaderContract } from './popularity-reader-contract.ts';
import { describeQueueContract } from './queue-contract.ts';
import { rankingStoreContract } from './ranking-store-contract.ts';

afterAll(stopEmbeddedPostgres);

const inMemory = { async [Symbol.asyncDispose]() {} };
const IDS = ['a', 'b', 'c', 'd', 'e', 'f'];

itemStoreContract('the fake in memory', async () => ({ ...inMemory, store: createMemoryItemStore() }));
rankingStoreContract('the fake in memory', async () => ({ ...inMemory, store: createMemoryRankingStore() }));
interactionReaderContract('the fake in memory', async () => {
  const reader = createMemoryInteractionReader();
  reader.hidden.add('hidden');
  return {
    ...inMemory,
    reader,
    async record(interactions) {
      reader.recorded.push(...interactions);
    },
    async reject(rejected, reason) {
      reader.rejected.push({ interaction: rejected, reason });
    },
  };
});
popularityReaderContract('the fake in memory', async () => {
  const reader = createMemoryPopularityReader(rankedItems(IDS));
  const [ranking] = RANKINGS;
  if (ranking === undefined) throw new Error('no ranking');
  reader.ready = false;
  return {
    ...inMemory,
    reader,
    ranking,
    window: 'WEEK',
    ids: IDS,
    point: '0/0',
    async makeStandings() {
      reader.ready = true;
    },
  };
});

for (const [name, server] of [
  ['a Postgres server', createTestDatabase],
  ['the embedded Postgres', createEmbeddedDatabase],
] as const) {
  itemStoreContract(name, async () => {
    const { database, ...rest } = await onPrimary(server, []);
    return { ...rest, store: createPostgresItemStore(database) };
  });
  rankingStoreContract(name, async () => {
    const { database, ...rest } = await onPrimary(server, []);
    return { ...rest, store: createPostgresRankingStore(database) };
  });
  interactionReaderContract(name, async () => {
    const { database, recorder, ...rest } = await onPrimary(server, READER_ITEMS);
    await createPostgresItemStore(database).hide(['hidden'], true);
    return {
      ...rest,
      reader: createPostgresInteractionReader(database),
      async record(interactions) {
        await recorder.record(entries(...interactions));
      },
      async reject(rejected, reason) {
        await recorder.reject([
          { body: encodeMessage(rejected), outboxSeq: null, reason, detail: 'x', interaction: rejected },
        ]);
      },
    };
  });
  popularityReaderContract(name, async () => {
    const { database, recorder, ...rest } = await onPrimary(server, IDS);
    const [ranking] = await createPostgresRankingStore(database).list();
    if (ranking === undefined) throw new Error('no ranking');
    // Two of them equal, to be told apart by their ids.
    const likers = [5, 4, 4, 3, 2, 1];
    const likes = IDS.flatMap((itemId, index) =>
      Array.from({ length: likers[index] ?? 0 }, (_, n) => interaction({ itemId, type: 'LIKE', user: `u${n}` })),
    );
    await recorder.record(entries(...likes));
    return {
      ...rest,
      reader: createPostgresPopularityReader(database),
      ranking,
      window: 'WEEK',
      ids: IDS,
      point: '0/0',
      async makeStandings() {
        await createPostgresStandings({ database }).refresh();
      },
    };
  });
  let outbox: Promise<MigratedDatabase> | undefined;
  describeQueueContract(`the outbox in ${name}`, async () => {
    const { server: at, connect } = await (outbox ??= server().then(createMigratedDatabase));
    await query(at.url, 'TRUNCATE outbox');
    const database = connect();
    return {
      queue: createOutboxQueue(database),
      createSource: ({ prefetch }) =>
        createOutboxSource({ database, prefetch, pollMs: 10, logger: createLogger('silent', 'test') }),
      // The recorder deletes them in its transaction.
      async commit(deliveries) {
        await query(at.url, 'DELETE FROM outbox WHERE seq = ANY($1::bigint[])', [
          deliveries.map(({ outboxSeq }) => String(outboxSeq)),
        ]);
      },
      closeQueue: () => database.close(),
      dispose: () => database.close(),
    };
  });
  afterAll(async () => (await outbox)?.[Symbol.asyncDispose]());
}

/** With these items. Read on the primary: how far a replica is behind is no part of these contracts. */
async function onPrimary(server: () => Promise<TestDatabase>, itemIds: readonly string[]) {
  const { migrated, recorder, [Symbol.asyncDispose]: dispose } = await createRecording(await server(), itemIds);
  const { database } = migrated;
  return { database: { ...database, read: database.primary }, recorder, [Symbol.asyncDispose]: dispose };
}
