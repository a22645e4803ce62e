import { hash } from 'node:crypto';
import pg from 'pg';
import { newInteractionId, newInteractionIdAt } from '../../../src/interactions/interaction-id.ts';
import { query } from '../../servers/query.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { bodyOf, publishBodies } from '../publish.ts';
import { quantile } from '../quantile.ts';
import type { Arena, Row } from '../row.ts';
import { missingOf } from '../system-under-fault.ts';

const INTERACTIONS = { quick: 4_000, full: 60_000 };
/** So often with poison, each between two without: a drain is slower than the one before, as the tables grow. */
const ROUNDS = { quick: 1, full: 9 };
const KEPT_SHARE = 0.95;
const TWO_DAYS_MS = 172_800_000;
const REFUSE = `ALTER TABLE interactions ADD CONSTRAINT refuse CHECK (metadata IS NULL OR NOT metadata ? 'poison') NOT VALID`;

export const poison: Row = {
  name: 'poison',
  fault: '1 % poison',
  async run(arena) {
    const { system, isQuick } = arena;
    const count = isQuick ? INTERACTIONS.quick : INTERACTIONS.full;
    await must(arena, ['discard', '--all']);
    const clean = () => drain(arena, cleanOnes(arena, count));
    const expected: Poison[] = [];
    await drain(arena, cleanOnes(arena, 5_000));
    const usedId = arena.ledger.acceptedIds()[0] ?? '';
    const rounds: { share: number; poisoned: number; clean: number }[] = [];
    let before = await clean();
    for (let round = 0; round < (isQuick ? ROUNDS.quick : ROUNDS.full); round += 1) {
      const bodies = cleanOnes(arena, count * 0.99);
      for (let turn = 0; turn < count / 100; turn += 1) {
        const poison = poisonOf(arena, turn, usedId);
        expected.push(poison);
        bodies.splice(turn * 100, 0, poison.body);
      }
      const poisoned = await drain(arena, bodies, 0.99);
      const after = await clean();
      const beside = (before + after) / 2;
      rounds.push({ share: poisoned / beside, poisoned, clean: beside });
      before = after;
    }
    const share = quantile(
      rounds.map((round) => round.share),
      0.5,
    );
    const rates = rounds.map((round) => `${Math.round(round.poisoned)} of ${Math.round(round.clean)}`).join(', ');
    // In short it is over in a few batches, which is no measure of anything.
    if (!isQuick) {
      arena.holds(
        'clean throughput at least 95 %',
        share >= KEPT_SHARE,
        `${Math.round(share * 100)} % at the median: ${rates} a second`,
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

/** Per second, from the first batch recorded to `share` of all; they wait in the queue before. */
async function drain(arena: Arena, bodies: readonly Buffer[], share = 1): Promise<number> {
  const { system } = arena;
  const proxy = system.links.worker.rabbitmq;
  proxy.refuse();
  await publishBodies(system.rabbitmq.url, bodies);
  // From the totals, on one connection: counting a million rows over and over would be most of what Postgres does meanwhile.
  const watcher = new pg.Client({ connectionString: system.databaseUrl });
  await watcher.connect();
  const countViews = async (): Promise<number> =>
    Number((await watcher.query("SELECT sum(events) AS views FROM totals WHERE type = 'VIEW'")).rows[0]?.views);
  try {
    const before = await countViews();
    await proxy.heal();
    let [firstMs, first, counted] = [0, 0, 0];
    await waitFor(
      'all of it to be recorded',
      async () => {
        counted = (await countViews()) - before;
        if (counted > 0 && firstMs === 0) [firstMs, first] = [performance.now(), counted];
        return counted >= bodies.length * share;
      },
      { everyMs: 10, deadlineMs: 120_000 },
    );
    return (counted - first) / ((performance.now() - firstMs) / 1_000);
  } finally {
    await watcher.end();
  }
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
