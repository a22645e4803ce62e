import pg from 'pg';
import { newInteractionId, newInteractionIdAt } from '../../../src/interactions/interaction-id.ts';
import { query } from '../../servers/query.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { bodyOf, publishBodies } from '../publish.ts';
import { quantile } from '../quantile.ts';
import type { Arena, Row } from '../row.ts';
import { missingOf } from '../system-under-fault.ts';

const INTERACTIONS = { quick: 4_000, full: 100_000 };
/** So often with poison, each between two without: a drain is slower than the one before, as the tables grow. */
const ROUNDS = { quick: 1, full: 5 };
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
    const expected = new Map<string, number>();
    await drain(arena, cleanOnes(arena, 5_000));
    const usedId = arena.ledger.acceptedIds()[0] ?? '';
    const rounds: { share: number; poisoned: number; clean: number }[] = [];
    let before = await clean();
    for (let round = 0; round < (isQuick ? ROUNDS.quick : ROUNDS.full); round += 1) {
      const bodies = cleanOnes(arena, count * 0.99);
      for (let turn = 0; turn < count / 100; turn += 1) {
        bodies.splice(turn * 100, 0, poisonOf(arena, turn, expected, usedId));
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
    expected.set('RECORD_FAILED', refused.length);
    const reasons = async (): Promise<string> => {
      const rows = await query(
        system.databaseUrl,
        'SELECT reason::text, count(*)::int AS count FROM rejected GROUP BY 1',
      );
      return sorted(rows.map(({ reason, count }) => [String(reason), Number(count)]));
    };
    const wanted = sorted([...expected]);
    await waitFor('every poison to be rejected', async () => (await reasons()) === wanted).catch(() => undefined);
    arena.holds('each rejected with its reason', (await reasons()) === wanted, await reasons());

    await query(system.databaseUrl, 'ALTER TABLE interactions DROP CONSTRAINT refuse');
    await system.addItems([UNKNOWN]);
    await must(arena, ['replay', '--all']);
    await arena.recovers();
    const left = await missingOf(system.databaseUrl, arena.ledger.acceptedIds());
    arena.holds(
      'replayed',
      left.length === 0,
      `${expected.get('ITEM_NOT_FOUND')} of an item that came late, ${refused.length} that Postgres refused`,
    );
    await must(arena, ['discard', '--all']);
  },
};

const UNKNOWN = 'poison-unknown';

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
function poisonOf(arena: Arena, turn: number, expected: Map<string, number>, usedId: string): Buffer {
  const expect = (reason: string): void => void expected.set(reason, (expected.get(reason) ?? 0) + 1);
  const sent = {
    id: newInteractionId(),
    viewer: `poisoner-${turn}-${arena.random()}`,
    item: arena.items[0] ?? '',
    type: 'VIEW' as const,
    retraction: false,
  };
  switch (turn % 4) {
    case 0:
      expect('ITEM_NOT_FOUND');
      arena.ledger.sent({ ...sent, item: UNKNOWN });
      arena.ledger.accepted(sent.id);
      return bodyOf({ ...sent, item: UNKNOWN });
    case 1:
      expect('INVALID_MESSAGE');
      return Buffer.from(`{"v":1,"id":"${sent.id}"`);
    case 2:
      expect('INVALID_MESSAGE');
      return bodyOf({ ...sent, id: newInteractionIdAt(Date.now() + TWO_DAYS_MS) });
    default:
      expect('ID_REUSED');
      return bodyOf({ ...sent, id: usedId });
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

function sorted(counts: readonly (readonly [string, number])[]): string {
  return counts
    .map(([reason, count]) => `${reason} ${count}`)
    .toSorted()
    .join(', ');
}
