import { hash } from 'node:crypto';
import pg from 'pg';
import { newInteractionId, newInteractionIdAt } from '../../../src/interactions/interaction-id.ts';
import { query } from '../../servers/query.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { bodyOf, publishBodies } from '../publish.ts';
import { quantile } from '../quantile.ts';
import type { Arena, Row } from '../row.ts';
import { missingOf } from '../system-under-fault.ts';

/** Some 24 batches: those at work while one block ends and the next begins count for little. */
const BLOCK = { quick: 4_000, full: 60_000 };
/** So many blocks with poison, each between two without, in one queue: the rate drifts, so that only neighbours can be compared. */
const ROUNDS = { quick: 1, full: 12 };
/** Or what the disk and the vacuum do at the moment is most of what is measured. Without their waits poison weighs the more. */
const QUIET = {
  synchronous_commit: 'off',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
};
const KEPT_SHARE = 0.95;
const TWO_DAYS_MS = 172_800_000;
const REFUSE = `ALTER TABLE interactions ADD CONSTRAINT refuse CHECK (metadata IS NULL OR NOT metadata ? 'poison') NOT VALID`;

export const poison: Row = {
  name: 'poison',
  fault: '1 % poison',
  async run(arena) {
    const { system, isQuick } = arena;
    const count = isQuick ? BLOCK.quick : BLOCK.full;
    const rounds = isQuick ? ROUNDS.quick : ROUNDS.full;
    await must(arena, ['discard', '--all']);
    await drain(arena, [cleanBlock(arena, 5_000)]);
    const usedId = arena.ledger.acceptedIds()[0] ?? '';
    const expected: Poison[] = [];
    // The first is spent on getting going, and the last is at work while the one before it ends.
    const blocks = [cleanBlock(arena, count), cleanBlock(arena, count)];
    for (let round = 0; round < rounds; round += 1) {
      const poison = Array.from({ length: count / 100 }, (_, turn) => poisonOf(arena, turn, usedId));
      expected.push(...poison);
      blocks.push(poisonedBlock(arena, count, poison), cleanBlock(arena, count));
    }
    await quieten(arena);
    const rates = await drain(arena, [...blocks, cleanBlock(arena, count)]);
    await restoreSettings(arena);
    const shares = Array.from({ length: rounds }, (_, round) => {
      const [before = Number.NaN, poisoned = Number.NaN, after = Number.NaN] = rates.slice(2 * round + 1);
      return (2 * poisoned) / (before + after);
    });
    const share = interquartileMean(shares);
    // In short it is over in a few batches, which is no measure of anything.
    if (!isQuick) {
      arena.holds(
        'clean throughput at least 95 %',
        share >= KEPT_SHARE,
        `${percent(share)}, the mean of the middle half of ${rounds} (${percent(quantile(shares, 0.25))} to ${percent(quantile(shares, 0.75))})`,
      );
    }

    // What Postgres alone can find is searched for by halves.
    await query(system.databaseUrl, REFUSE);
    const refused = cleanOnes(arena, 3, { poison: true });
    await publishBodies(system.rabbitmq.url, [...cleanOnes(arena, 300), ...refused]);
    expected.push(...refused.map((body) => ({ body, reason: 'RECORD_FAILED' })));
    await holdsRejected(arena, 'each rejected with its reason', expected);

    await query(system.databaseUrl, 'ALTER TABLE interactions DROP CONSTRAINT refuse');
    await system.addItems([UNKNOWN]);
    await must(arena, ['replay', '--all']);
    await arena.recovers();
    const left = await missingOf(system.databaseUrl, arena.ledger.acceptedIds());
    const curable = expected.filter(({ reason }) => CURABLE.has(reason));
    arena.holds('replayed', left.length === 0, countsOf(curable));
    const incurable = expected.filter(({ reason }) => !CURABLE.has(reason));
    await holdsRejected(arena, 'the others back with the same reason', incurable);
    await must(arena, ['discard', '--all']);
  },
};

const UNKNOWN = 'poison-unknown';
/** What is recorded once the item is there, or Postgres takes it. */
const CURABLE: ReadonlySet<string> = new Set(['ITEM_NOT_FOUND', 'RECORD_FAILED']);

interface Poison {
  readonly body: Buffer;
  readonly reason: string;
}

/** That these are rejected and nothing else, each for its own reason. By their bodies: what cannot be read has no id. */
async function holdsRejected({ system, holds }: Arena, what: string, expected: readonly Poison[]): Promise<void> {
  const wanted = new Map(expected.map(({ body, reason }) => [hash('sha256', body, 'hex'), reason]));
  const findWrong = async (): Promise<string[]> => {
    const rows = await query(
      system.databaseUrl,
      "SELECT encode(sha256(body), 'hex') AS hash, reason::text FROM rejected",
    );
    const found = new Map(rows.map((row) => [String(row['hash']), String(row['reason'])]));
    const bodies = [...new Set([...wanted.keys(), ...found.keys()])];
    return bodies.flatMap((body) =>
      found.get(body) === wanted.get(body) ? [] : `${found.get(body) ?? 'none'} for ${wanted.get(body) ?? 'none'}`,
    );
  };
  await waitFor(what, async () => (await findWrong()).length === 0).catch(() => undefined);
  const wrong = await findWrong();
  holds(what, wrong.length === 0, wrong.length === 0 ? countsOf(expected) : `${wrong.length} not, such as ${wrong[0]}`);
}

function cleanOnes(
  { items, ledger, between }: Arena,
  count: number,
  metadata: { poison: true } | null = null,
): Buffer[] {
  return Array.from({ length: count }, () => {
    const sent = {
      id: newInteractionId(),
      viewer: `person-${between(0, 1_000)}`,
      item: items[between(0, items.length)] ?? '',
      type: 'VIEW' as const,
      retraction: false,
    };
    ledger.sent(sent);
    ledger.accepted(sent.id);
    return bodyOf(sent, metadata);
  });
}

/** Of every kind in turn; what becomes good once its item is there is in the ledger. */
function poisonOf(arena: Arena, turn: number, usedId: string): Poison {
  const sent = {
    id: newInteractionId(),
    viewer: `poisoner-${turn}-${arena.random()}`,
    item: arena.items[0] ?? '',
    type: 'VIEW' as const,
    retraction: false,
  };
  switch (turn % 4) {
    case 0:
      arena.ledger.sent({ ...sent, item: UNKNOWN });
      arena.ledger.accepted(sent.id);
      return { reason: 'ITEM_NOT_FOUND', body: bodyOf({ ...sent, item: UNKNOWN }) };
    case 1:
      return { reason: 'INVALID_MESSAGE', body: Buffer.from(`{"v":1,"id":"${sent.id}"`) };
    case 2:
      return {
        reason: 'INVALID_MESSAGE',
        body: bodyOf({ ...sent, id: newInteractionIdAt(Date.now() + TWO_DAYS_MS) }),
      };
    default:
      return { reason: 'ID_REUSED', body: bodyOf({ ...sent, id: usedId }) };
  }
}

interface Block {
  readonly bodies: readonly Buffer[];
  /** Of them, what will be recorded. */
  readonly recorded: number;
}

function cleanBlock(arena: Arena, count: number): Block {
  return { bodies: cleanOnes(arena, count), recorded: count };
}

/** One poison in each hundred. */
function poisonedBlock(arena: Arena, count: number, poison: readonly Poison[]): Block {
  const bodies = cleanOnes(arena, count - poison.length);
  for (const [turn, { body }] of poison.entries()) bodies.splice(turn * 100, 0, body);
  return { bodies, recorded: count - poison.length };
}

/** Puts all into the queue, then lets the worker at it. @returns of each block what was recorded per second */
async function drain(arena: Arena, blocks: readonly Block[]): Promise<number[]> {
  const { system } = arena;
  const proxy = system.links.worker.rabbitmq;
  proxy.refuse();
  await publishBodies(
    system.rabbitmq.url,
    blocks.flatMap(({ bodies }) => bodies),
  );
  // From the totals, on one connection: counting a million rows over and over would be most of what Postgres does meanwhile.
  const watcher = new pg.Client({ connectionString: system.databaseUrl });
  await watcher.connect();
  const countViews = async (): Promise<number> =>
    Number((await watcher.query("SELECT sum(events) AS views FROM totals WHERE type = 'VIEW'")).rows[0]?.views);
  const seconds = (): number => performance.now() / 1_000;
  try {
    const before = await countViews();
    let last = { seconds: seconds(), counted: 0 };
    const ends: number[] = [];
    let due = blocks[0]?.recorded ?? 0;
    await proxy.heal();
    await waitFor(
      'all of it to be recorded',
      async () => {
        const now = { counted: (await countViews()) - before, seconds: seconds() };
        while (ends.length < blocks.length && now.counted >= due) {
          // Batches end together, and not with the blocks.
          const passed = (due - last.counted) / (now.counted - last.counted);
          ends.push(last.seconds + passed * (now.seconds - last.seconds));
          due += blocks[ends.length]?.recorded ?? 0;
        }
        if (now.counted > last.counted) last = now;
        return ends.length === blocks.length;
      },
      { everyMs: 10, deadlineMs: 300_000 },
    );
    return ends.map((end, index) => (blocks[index]?.recorded ?? 0) / (end - (ends[index - 1] ?? Number.NaN)));
  } finally {
    await watcher.end();
  }
}

async function quieten({ system }: Arena): Promise<void> {
  for (const [name, value] of Object.entries(QUIET)) {
    await query(system.databaseUrl, `ALTER SYSTEM SET ${name} = '${value}'`);
  }
  await query(system.databaseUrl, 'SELECT pg_reload_conf()');
  await query(system.databaseUrl, 'CHECKPOINT');
}

async function restoreSettings({ system }: Arena): Promise<void> {
  for (const name of Object.keys(QUIET)) await query(system.databaseUrl, `ALTER SYSTEM RESET ${name}`);
  await query(system.databaseUrl, 'SELECT pg_reload_conf()');
}

/** Surer than the median by so few, and as little moved by what lies far out. */
function interquartileMean(values: readonly number[]): number {
  const middle = values
    .toSorted((a, b) => a - b)
    .slice(Math.floor(values.length / 4), Math.ceil((values.length * 3) / 4));
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

async function must({ system }: Arena, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await system.run('rejected', args);
  if (exitCode !== 0) throw new Error(`rejected ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
}

/** Such as `ID_REUSED 10, RECORD_FAILED 3`. */
function countsOf(poison: readonly Poison[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of poison) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${reason} ${count}`)
    .toSorted()
    .join(', ');
}
