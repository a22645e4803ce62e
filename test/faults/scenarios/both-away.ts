import { waitFor } from '../../servers/wait-for.ts';
import { outcomesSince, timesSince } from '../outcomes.ts';
import type { Arena, Row } from '../row.ts';

const AWAY_MS = 30_000;
const QUICK_MS = 2_000;
const REFUSED_MS = 1_000;

/** Neither can take anything: clients are told so, and when to try again. */
function away(
  name: string,
  fault: string,
  begin: (arena: Arena) => Promise<void>,
  end: (arena: Arena) => Promise<void>,
): Row {
  return {
    name,
    fault,
    async run(arena) {
      const writing = arena.write();
      // What is not known yet would be looked up.
      await waitFor('every item to be known', () => {
        const accepted = [...arena.ledger.entries().values()].filter(({ outcome }) => outcome === 'accepted');
        return new Set(accepted.map(({ item }) => item)).size === arena.items.length;
      });
      await begin(arena);
      const begunAtMs = performance.now();
      await arena.wait(arena.isQuick ? QUICK_MS : AWAY_MS);
      const seen = await outcomesSince(writing, begunAtMs);
      await end(arena);
      const refused = seen.filter(({ outcome }) => outcome === 'refused');
      const named = refused.filter(({ retryAfter }) => retryAfter !== null && retryAfter > 0).length;
      const worstMs = Math.max(...timesSince(seen, begunAtMs));
      arena.holds(
        'refused',
        refused.length > 0 && refused.length === seen.length,
        `${refused.length} of ${seen.length}`,
      );
      arena.holds('with Retry-After', named === refused.length, `${named} of ${refused.length}`);
      arena.tookLess('within 1 s', worstMs, REFUSED_MS);
      await arena.recovers();
    },
  };
}

export const bothStopped: Row = away(
  'both-stopped',
  'RabbitMQ and Postgres both stopped',
  async ({ system, isQuick }) => {
    // In short: gone from the network, which a client cannot tell from a stopped server, and back without a start.
    if (isQuick)
      for (const { rabbitmq, postgres } of Object.values(system.links))
        [rabbitmq, postgres].map((proxy) => proxy.refuse());
    else await Promise.all([system.rabbitmq.kill(), system.postgres.primary.kill()]);
  },
  async ({ system, isQuick }) => {
    if (isQuick) await system.heal();
    else await Promise.all([system.rabbitmq.restart(), system.postgres.primary.restart()]);
  },
);

export const bothFrozen: Row = away(
  'both-frozen',
  'RabbitMQ and Postgres both frozen',
  async ({ system }) => {
    system.rabbitmq.pause();
    system.postgres.primary.pause();
  },
  async ({ system }) => {
    system.rabbitmq.resume();
    system.postgres.primary.resume();
  },
);
