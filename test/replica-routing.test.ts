import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPostgresInteractionReader } from '../src/adapters/postgres/postgres-interaction-reader.ts';
import { createPostgresItemStore } from '../src/adapters/postgres/postgres-item-store.ts';
import { createPostgresPopularityReader } from '../src/adapters/postgres/postgres-popularity-reader.ts';
import { createPostgresRankingStore } from '../src/adapters/postgres/postgres-ranking-store.ts';
import { createPostgresRecorder } from '../src/adapters/postgres/postgres-recorder.ts';
import { createPostgresStandings } from '../src/adapters/postgres/postgres-standings.ts';
import { createDatabase, type Database } from '../src/adapters/postgres/prisma-database.ts';
import { viewerKeyOf } from '../src/interactions/viewer-key.ts';
import { createCatalogueFollower } from '../src/items/catalogue-follower.ts';
import { createKnownItems } from '../src/items/known-items.ts';
import { UnavailableError } from '../src/runtime/errors.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { migrations } from './migrated-database.ts';
import { entries, interaction } from './recording/fixture.ts';
import { query } from './servers/query.ts';
import { startPostgres, type PostgresCluster } from './servers/start-postgres.ts';
import { resetStatementCounts, statementCounts } from './servers/statement-counts.ts';
import { waitFor } from './servers/wait-for.ts';

let cluster: PostgresCluster;
let urls: { url: string; replicaUrls: string[] };
let database: Database;

beforeAll(async () => {
  cluster = await startPostgres({ replicas: 2 });
  urls = await cluster.createDatabase();
  for (const sql of await migrations()) await query(urls.url, sql);
  database = createDatabase({
    ...urls,
    poolSize: 4,
    replicaMaxLagMs: 2_000,
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
  });
  await createPostgresItemStore(database).upsert([
    { id: 'a', title: 'A', category: null, url: null, imageUrl: null, attributes: null },
  ]);
  await createPostgresRecorder(database).record(entries(interaction()));
  await createPostgresStandings({ database }).refresh();
  await inRotation(2);
});
afterAll(async () => {
  await database.close();
  await cluster.stop();
});

const inRotation = (count: number): Promise<void> =>
  waitFor(`${count} replicas in rotation`, () => database.replicaFaults().length === 2 - count);

async function callsAt(url: string, pattern: RegExp): Promise<number> {
  const counts = await statementCounts(url);
  return counts.filter((each) => pattern.test(each.query)).reduce((sum, { calls }) => sum + calls, 0);
}

async function readOften(times: number): Promise<void> {
  const [popular] = await createPostgresRankingStore(database).list();
  if (popular === undefined) throw new Error('no ranking');
  const reader = createPostgresPopularityReader(database);
  await Promise.all(
    Array.from({ length: times }, async () => {
      const page = await reader.standings(popular, 'WEEK', null, null, 10);
      expect(page?.items.map(({ itemId }) => itemId)).toEqual(['a']);
    }),
  );
}

test('reads, raw SQL too, run on both replicas and not on the primary; writes on the primary', async () => {
  const all = [urls.url, ...urls.replicaUrls];
  await waitFor('the standing on every replica', async () => {
    const found = await Promise.all(all.map((url) => query(url, 'SELECT FROM standings')));
    return found.every((rows) => rows.length > 0);
  });
  for (const url of all) await resetStatementCounts(url);
  await readOften(40);
  await createPostgresItemStore(database).find(['a'], null);
  await createPostgresRecorder(database).record(entries(interaction()));
  await createPostgresInteractionReader(database).recent(viewerKeyOf({ userId: 'ann' }), null, 5);

  const onReplicas = await Promise.all(urls.replicaUrls.map((url) => callsAt(url, /FROM standings_state/)));
  expect(onReplicas.reduce((sum, calls) => sum + calls, 0)).toBe(40);
  for (const calls of onReplicas) expect(calls).toBeGreaterThanOrEqual(15);
  expect(await callsAt(urls.url, /FROM standings_state/)).toBe(0);
  // One alone, the recorder's: what is to be recorded is looked up where it is written.
  expect(await callsAt(urls.url, /FROM items WHERE id = ANY/)).toBe(1);
  expect(await callsAt(urls.url, /SELECT \/\* plan kept \*\/ id AS "itemId", key/)).toBe(1);
  expect(await callsAt(urls.url, /INSERT INTO interactions/)).toBe(1);
  expect(await callsAt(urls.url, /FROM interactions i JOIN items/)).toBe(1);
});

test('a sum for now is as of what the server that answers has, and not of the time it is asked at', async () => {
  const [popular] = await createPostgresRankingStore(database).list();
  if (popular === undefined) throw new Error('no ranking');
  const now = { ranking: popular, window: 'DAY', types: ['SHARE'], category: null, asOf: null } as const;
  const reader = createPostgresPopularityReader(database);
  for (const replica of urls.replicaUrls) await query(replica, 'SELECT pg_wal_replay_pause()');
  const sharer = interaction({ type: 'SHARE', user: 'a sharer' });
  await createPostgresRecorder(database).record(entries(sharer));
  const recordedAtMs = Date.now();

  const onReplica = await reader.sum(now);
  expect(onReplica.items).toEqual([]);
  expect(onReplica.asOf.getTime()).toBeLessThan(recordedAtMs);
  const [position] = await query(urls.url, 'SELECT pg_current_wal_insert_lsn()::text AS lsn');
  const onPrimary = await reader.past(String(position?.['lsn'])).sum(now);
  expect(onPrimary.items).toMatchObject([{ itemId: 'a', people: 1 }]);
  expect(onPrimary.asOf.getTime()).toBeGreaterThanOrEqual(recordedAtMs);

  for (const replica of urls.replicaUrls) await query(replica, 'SELECT pg_wal_replay_resume()');
  await inRotation(2);
  await waitFor('the replicas to say that they have it', async () => {
    const { asOf, items } = await reader.sum(now);
    // A pass of the standings, as workers make them twice a second, whether anything happens or not.
    await createPostgresStandings({ database }).refresh();
    return asOf.getTime() >= recordedAtMs && items.length === 1;
  });
});

test('a replica that lags leaves the rotation and comes back when it has caught up', async () => {
  const [lagging] = urls.replicaUrls;
  if (lagging === undefined) throw new Error('no replica');
  await query(lagging, 'SELECT pg_wal_replay_pause()');
  const recorder = createPostgresRecorder(database);
  await waitFor('the paused replica out of rotation', async () => {
    await recorder.record(entries(interaction()));
    return database.replicaFaults().length === 1;
  });
  await readOften(20);
  await query(lagging, 'SELECT pg_wal_replay_resume()');
  await inRotation(2);
});

test('a replica that is sent nothing leaves the rotation, though it has replayed all it received', async () => {
  const [silent] = urls.replicaUrls;
  if (silent === undefined) throw new Error('no replica');
  const [receiver] = await query(silent, 'SELECT pid FROM pg_stat_wal_receiver');
  const pid = Number(receiver?.['pid']);
  process.kill(pid, 'SIGSTOP');
  try {
    const recorder = createPostgresRecorder(database);
    await waitFor('the silent replica out of rotation', async () => {
      await recorder.record(entries(interaction()));
      return database.replicaFaults().length === 1;
    });
    const [found] = await query(
      silent,
      'SELECT pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AS replayed FROM pg_stat_wal_receiver',
    );
    expect(found).toEqual({ replayed: true });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await inRotation(2);
});

test('a replica that dies fails no read, and with none left the primary answers', async () => {
  for (const replica of cluster.replicas) {
    const reading = (async () => {
      for (let round = 0; round < 20; round += 1) await readOften(5);
    })();
    await replica.kill();
    await reading;
  }
  await inRotation(0);
  await resetStatementCounts(urls.url);
  await readOften(5);
  expect(await callsAt(urls.url, /FROM standings_state/)).toBe(5);
  for (const replica of cluster.replicas) await replica.restart();
  await inRotation(2);
});

function createFailing() {
  const metrics = createMetrics();
  const failing = createDatabase({
    ...urls,
    poolSize: 4,
    replicaMaxLagMs: 60_000,
    logger: createLogger('silent', 'test'),
    metrics,
  });
  return {
    failing,
    fallbacks: () => metrics.registry.getSingleMetricAsString('groundswell_read_fallbacks_total'),
  };
}

test('one read that a replica takes too long for is tried elsewhere, and leaves the replica to the others', async () => {
  const { failing } = createFailing();
  try {
    await waitFor('both in rotation', () => failing.replicaFaults().length === 0);
    let hung: unknown;
    const slow = failing.read(async (client) => {
      hung ??= client;
      return client === hung ? new Promise<string>(() => undefined) : 'elsewhere';
    });
    expect(await slow).toBe('elsewhere');
    expect(failing.replicaFaults()).toEqual([]);
  } finally {
    await failing.close();
  }
});

const lostConnection = (): Error => Object.assign(new Error('a lost connection'), { code: '57P01' });

test('of what one replica fails at once the next one gets no more than the budget, and the rest is refused', async () => {
  const { failing, fallbacks } = createFailing();
  try {
    await waitFor('both in rotation', () => failing.replicaFaults().length === 0);
    let broken: unknown;
    const reads = Array.from({ length: 600 }, () =>
      failing.read(async (client) => {
        broken ??= client;
        if (client === broken) throw lostConnection();
      }),
    );
    const settled = await Promise.allSettled(reads);
    const refused = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(refused).toHaveLength(100);
    for (const reason of refused) expect(reason).toBeInstanceOf(UnavailableError);
    expect(await fallbacks()).toMatch(/{outcome="replica"} 200\n.*{outcome="primary"} 0\n.*{outcome="refused"} 100$/);
  } finally {
    await failing.close();
  }
});

test('replicas that are well but fail their reads bring each other and the primary no more of them than the budget, and the rest is refused', async () => {
  const { failing, fallbacks } = createFailing();
  try {
    await waitFor('both in rotation', () => failing.replicaFaults().length === 0);
    let tries = 0;
    const reads = Array.from({ length: 300 }, () =>
      failing.read(async (client) => {
        tries += 1;
        const [server] = await client.$queryRaw<{ standby: boolean }[]>`SELECT pg_is_in_recovery() AS standby`;
        if (server?.standby !== false) throw lostConnection();
        return 'of the primary';
      }),
    );
    const settled = await Promise.allSettled(reads);
    const fulfilled = settled.filter(({ status }) => status === 'fulfilled').length;
    expect(tries).toBe(300 + 200);
    for (const one of settled) if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(UnavailableError);
    expect(await fallbacks()).toMatch(
      new RegExp(
        `{outcome="replica"} ${200 - fulfilled}\n.*{outcome="primary"} ${fulfilled}\n.*{outcome="refused"} ${300 - fulfilled}$`,
      ),
    );
    expect(await failing.read(async () => 'again')).toBe('again');
  } finally {
    await failing.close();
  }
});

test('replicas cut off from their primary leave the rotation until it is back', async () => {
  await cluster.primary.kill();
  await inRotation(0);
  await cluster.primary.restart();
  await inRotation(2);
});

test('a primary that hangs holds no request: items not seen yet are taken for known, and reads end', async () => {
  const items = createPostgresItemStore(database);
  const follower = createCatalogueFollower({ items, intervalMs: 60_000, logger: createLogger('silent', 'test') });
  const known = createKnownItems({ items, follower });
  const tells = async (): Promise<boolean> => !(await known.lookUp(['x'])).has('x');
  // It was restarted just now: connections from before are broken.
  await waitFor('the primary to tell that there is no such item', tells);
  const reader = createPostgresInteractionReader(database);
  cluster.primary.pause();
  try {
    const startedAt = performance.now();
    expect((await known.lookUp(['x'])).has('x')).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    await expect(reader.recent(viewerKeyOf({ userId: 'ann' }), null, 5)).rejects.toThrow(UnavailableError);
  } finally {
    cluster.primary.resume();
  }
  await waitFor('the primary to tell again', tells);
});
