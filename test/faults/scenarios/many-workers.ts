import pg from 'pg';
import { newInteractionId } from '../../../src/interactions/interaction-id.ts';
import { INTERACTION_TYPES, isReactionType, type InteractionType } from '../../../src/interactions/interaction.ts';
import { query } from '../../servers/query.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { bodyOf, publishBodies } from '../publish.ts';
import type { Arena, Row } from '../row.ts';
import type { Supervised } from '../system-under-fault.ts';

const WORKERS = { quick: 4, full: 8 };
const INTERACTIONS = { quick: 8_000, full: 40_000 };
const CONFLICTING = 400;
/** Who share their reactions wait for each other there, and never meet in the rollups: those are met by many who do not react. */
const CROWD = { people: 10_000, types: INTERACTION_TYPES.filter((type) => !isReactionType(type)) };
const REACTING = { people: 30, types: INTERACTION_TYPES };
/** Small and often: more of them meet. */
const BATCHES = { RECORD_BATCH_MAX_ITEMS: '60', RECORD_BATCH_MAX_WAIT_MS: '5', QUEUE_PREFETCH: '640' };
const DEADLOCK = 'deadlock detected';
const SERIALIZATION = 'could not serialize access';

export const manyWorkers: Row = {
  name: 'many-workers',
  fault: '8 workers, shuffled batches, hot items',
  async run(arena) {
    const { system, isQuick } = arena;
    const said = (words: string): number => system.postgres.primary.output().split(words).length - 1;
    const others: Supervised[] = [];
    try {
      const count = isQuick ? WORKERS.quick : WORKERS.full;
      while (others.length < count - 1) others.push(await system.supervise('worker', BATCHES));
      const before = said(DEADLOCK);
      for (const among of [CROWD, REACTING]) {
        await publish(arena, (isQuick ? INTERACTIONS.quick : INTERACTIONS.full) / 2, among);
        await arena.recovers();
      }
      arena.holds('no deadlock', said(DEADLOCK) === before, `${said(DEADLOCK) - before} among ${count} workers`);

      await repeatableReads(arena, 'on');
      const serial = said(SERIALIZATION);
      await publish(arena, CONFLICTING, REACTING);
      await arena.recovers();
      await repeatableReads(arena, 'off');
      arena.holds('40001 retried', said(SERIALIZATION) > serial, `${said(SERIALIZATION) - serial} times`);

      const deadlocks = said(DEADLOCK);
      await waitFor(
        'a worker in a deadlock',
        async () => {
          await provokeDeadlock(arena);
          return said(DEADLOCK) > deadlocks;
        },
        { deadlineMs: 60_000 },
      );
      await arena.recovers();
      arena.holds('40P01 retried', said(DEADLOCK) > deadlocks, `${said(DEADLOCK) - deadlocks} times`);
    } finally {
      for (const worker of others) await worker[Symbol.asyncDispose]();
    }
  },
};

/** Few items, givings and retractions, in no order at all. */
async function publish(
  { system, items, ledger, between }: Arena,
  count: number,
  { people, types }: { readonly people: number; readonly types: readonly InteractionType[] },
): Promise<void> {
  const sent = Array.from({ length: count }, () => {
    const type = types[between(0, types.length)] ?? 'VIEW';
    return {
      id: newInteractionId(),
      viewer: `person-${between(0, people)}`,
      item: items[between(0, items.length)] ?? '',
      type,
      retraction: isReactionType(type) && between(0, 4) === 0,
    };
  });
  for (let last = sent.length - 1; last > 0; last -= 1) {
    const other = between(0, last + 1);
    const [a, b] = [sent[last], sent[other]];
    if (a !== undefined && b !== undefined) [sent[last], sent[other]] = [b, a];
  }
  for (const interaction of sent) ledger.sent(interaction);
  await publishBodies(
    system.rabbitmq.url,
    sent.map((interaction) => bodyOf(interaction)),
    6,
  );
  for (const { id } of sent) ledger.accepted(id);
}

/** Under it whoever meets a row that another has changed since fails with 40001. For every connection from now on. */
async function repeatableReads({ system }: Arena, state: 'on' | 'off'): Promise<void> {
  const isolation = state === 'on' ? 'repeatable read' : 'read committed';
  await query(system.databaseUrl, `ALTER DATABASE groundswell SET default_transaction_isolation = '${isolation}'`);
  await query(
    system.postgres.url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'groundswell' AND pid <> pg_backend_pid()`,
  );
}

/** Somebody takes two rows of totals in the other order; the worker is the one whom Postgres lets go. */
async function provokeDeadlock(arena: Arena): Promise<void> {
  const { system, items, ledger } = arena;
  const rows = await query(
    system.databaseUrl,
    `SELECT id, key::text FROM items JOIN totals ON item_key = key AND type = 'VIEW' WHERE id = ANY($1) ORDER BY key`,
    [items],
  );
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined || first === last) throw new Error('nothing was viewed');
  const session = new pg.Client({ connectionString: system.databaseUrl });
  session.on('error', () => undefined);
  await session.connect();
  const take = (key: unknown) =>
    session.query(`UPDATE totals SET events = events WHERE item_key = $1 AND type = 'VIEW'`, [key]);
  try {
    await session.query(`SET deadlock_timeout = '10min'`);
    await session.query('BEGIN');
    await take(last['key']);
    const sent = [first, last].map(({ id }) => ({
      id: newInteractionId(),
      viewer: 'person-0',
      item: String(id),
      type: 'VIEW' as const,
      retraction: false,
    }));
    for (const interaction of sent) ledger.sent(interaction);
    await publishBodies(
      system.rabbitmq.url,
      sent.map((interaction) => bodyOf(interaction)),
    );
    for (const { id } of sent) ledger.accepted(id);
    await waitFor(
      'the worker to wait for the row',
      async () =>
        (await query(system.databaseUrl, `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)).length > 0,
      { everyMs: 10 },
    );
    await take(first['key']);
  } finally {
    await session.end();
  }
}
