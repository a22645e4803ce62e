import { createPostgresRecorder } from '../src/adapters/postgres/postgres-recorder.ts';
import { createPostgresStandings } from '../src/adapters/postgres/postgres-standings.ts';
import { connectRabbitmqQueue } from '../src/adapters/rabbitmq/rabbitmq-queue.ts';
import { CONFIG_VARIABLES } from '../src/config-variables.ts';
import { encodeMessage } from '../src/interactions/message.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { query } from '../test/servers/query.ts';
import { startRabbitmq } from '../test/servers/start-rabbitmq.ts';
import { startRedis } from '../test/servers/start-redis.ts';
import { waitFor } from '../test/servers/wait-for.ts';
import { alternate } from './alternate.ts';
import { commitRate, type CommitRate } from './commit-rate.ts';
import { figure, median, type Figure } from './figure.ts';
import { BENCH_ITEMS, generateInteractions } from './generate-interactions.ts';
import { createFilledCatalogue, openDatabase, startBenchPostgres } from './postgres.ts';
import { run, startOurs } from './program.ts';

export const ROWS = 120_000;
/** The worker's own default. */
export const BATCH = Number(CONFIG_VARIABLES.find(({ name }) => name === 'RECORD_BATCH_MAX_ITEMS')?.default);
const ROUNDS = 3;
export const QUEUE = 'groundswell.interactions';
const EMPTY =
  'TRUNCATE interactions, people, reactions, minutes, hours, days, totals, touched, standings, standing_lists, standings_state, decay_anchors';

/** The worker, from a full queue to the last commit, against a bare insert of the same rows into an equal table. */
export async function record(): Promise<Figure[]> {
  await using postgres = await startBenchPostgres();
  await using redis = await startRedis();
  await using rabbitmq = await startRabbitmq();
  const url = await createFilledCatalogue(postgres, BENCH_ITEMS);
  await query(url, 'CREATE TABLE bare (LIKE interactions INCLUDING ALL) PARTITION BY RANGE (id)');
  const month = "uuid_at(date_trunc('month', now()))";
  await query(url, `CREATE TABLE bare_before PARTITION OF bare FOR VALUES FROM (MINVALUE) TO (${month})`);
  await query(url, `CREATE TABLE bare_month PARTITION OF bare FOR VALUES FROM (${month}) TO (MAXVALUE)`);
  const workerEnv = { DATABASE_URL: url, REDIS_URL: redis.url, AMQP_URL: rabbitmq.url };

  async function drain(round: number): Promise<CommitRate> {
    await empty(url);
    await fillQueue(rabbitmq.url, round);
    {
      await using _worker = await startOurs('worker', workerEnv, null);
      await waitFor('the worker to drain the queue', async () => (await countRows(url)) === ROWS, {
        deadlineMs: 120_000,
        everyMs: 300,
      });
    }
    return commitRate(url, 'interactions');
  }

  async function insert(round: number): Promise<CommitRate> {
    await query(url, 'TRUNCATE bare');
    await query(url, 'CHECKPOINT');
    const env = { BARE_DATABASE_URL: url, ROWS: String(ROWS), SEED: String(round), BATCH: String(BATCH) };
    await run(['--import', 'tsx', 'bench/peers/bare-insert.ts'], env);
    return commitRate(url, 'bare');
  }

  const pairs = await alternate(ROUNDS, drain, insert);
  await empty(url);
  const alone = [await recordAlone(url)];
  const rate = (rates: readonly number[]): string => Math.round(median(rates)).toLocaleString('en');
  const ours = pairs.map((pair) => pair.ours.perSecond);
  const peers = pairs.map((pair) => pair.peer.perSecond);
  const batches = Math.round(ROWS / median(pairs.map((pair) => pair.ours.commits)));
  return [
    figure({
      name: 'record',
      what: 'worker draining a queue / bare insert',
      values: pairs.map((pair) => pair.ours.perSecond / pair.peer.perSecond),
      bar: { atLeast: 0.35 },
      detail: `${rate(ours)} / ${rate(peers)} rows/s, ${ROWS.toLocaleString('en')} rows, ${batches} a batch`,
    }),
    figure({
      name: 'record',
      what: 'the recorder alone / bare insert',
      values: alone.map((perSecond) => perSecond / median(peers)),
      detail: `${rate(alone)} rows/s, no queue, two batches at a time`,
    }),
  ];
}

/** As before the first interaction, with the standings' lists made. */
export async function empty(url: string): Promise<void> {
  await query(url, EMPTY);
  const database = openDatabase(url);
  try {
    await createPostgresStandings({ database }).refresh();
  } finally {
    await database.close();
  }
  await query(url, 'CHECKPOINT');
}

export async function fillQueue(amqpUrl: string, seed: number): Promise<void> {
  const queue = await connectRabbitmqQueue({
    urls: [amqpUrl],
    queueName: QUEUE,
    deadlineMs: 60_000,
    maxInFlight: 4_000,
    logger: createLogger('silent', 'bench'),
  });
  const bodies = generateInteractions(ROWS, seed).map(encodeMessage);
  const chunks: Promise<void>[] = [];
  for (let at = 0; at < bodies.length; at += 1_000) chunks.push(queue.publish(bodies.slice(at, at + 1_000)));
  await Promise.all(chunks);
  await queue.close();
}

export async function countRows(url: string): Promise<number> {
  return Number((await query(url, 'SELECT count(*) FROM interactions'))[0]?.['count']);
}

async function recordAlone(url: string): Promise<number> {
  const database = openDatabase(url);
  try {
    const recorder = createPostgresRecorder(database);
    const entries = generateInteractions(ROWS, 0).map((interaction) => ({
      interaction,
      body: Buffer.alloc(0),
      outboxSeq: null,
    }));
    let at = 0;
    const recordNext = async (): Promise<void> => {
      while (at < entries.length) await recorder.record(entries.slice(at, (at += BATCH)));
    };
    await Promise.all([recordNext(), recordNext()]);
    return (await commitRate(url, 'interactions')).perSecond;
  } finally {
    await database.close();
  }
}
