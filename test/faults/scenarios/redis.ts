import { createClient } from '@keyv/redis';
import { waitFor } from '../../servers/wait-for.ts';
import { timesSince } from '../outcomes.ts';
import { quantile } from '../quantile.ts';
import type { Arena, Row } from '../row.ts';

const AWAY_MS = 20_000;
const QUICK_MS = 1_500;
const WELL_MS = { quick: 1_500, full: 10_000 };
const SLOWER_MS = 25;
/** The slowest is one read, with Redis and without: a collection of garbage or the turn of another process meets one of the two. */
const CHANCE_MS = 25;
const HANGS_MS = 2_000;
const WARM = 40;

interface Fault {
  readonly name: string;
  readonly fault: string;
  begin(arena: Arena): Promise<unknown>;
  end(arena: Arena): Promise<unknown>;
}

const FAULTS: readonly Fault[] = [
  {
    name: 'redis-killed',
    fault: 'Redis killed',
    begin: ({ system }) => system.redis.kill(),
    end: ({ system }) => system.redis.restart(),
  },
  {
    name: 'redis-frozen',
    fault: 'Redis frozen (SIGSTOP)',
    begin: async ({ system }) => system.redis.pause(),
    end: async ({ system }) => system.redis.resume(),
  },
  {
    name: 'redis-full',
    fault: 'Redis full',
    begin: (arena) => setMemory(arena, '1'),
    end: (arena) => setMemory(arena, '0'),
  },
  {
    name: 'redis-garbage',
    fault: 'Redis answers garbage',
    begin: async ({ system, random }) => {
      const bytes = (): Buffer => Buffer.from(Array.from({ length: 64 }, () => Math.floor(random() * 256)));
      for (const { redis } of Object.values(system.links)) redis.answer(bytes);
    },
    end: ({ system }) => system.heal(),
  },
  {
    name: 'redis-at-start',
    fault: 'Redis down when the API starts',
    async begin({ system }) {
      await system.redis.kill();
      await system.api.kill();
      await system.api.start();
    },
    end: ({ system }) => system.redis.restart(),
  },
];

export const redis: readonly Row[] = FAULTS.map(({ name, fault, begin, end }) => ({
  name,
  fault,
  async run(arena) {
    const { isQuick } = arena;
    const before = arena.read({ clients: 2 });
    await waitFor('the first reads', () => before.exchanges.length > WARM);
    const wellFromMs = performance.now();
    await arena.wait(isQuick ? WELL_MS.quick : WELL_MS.full);
    const wellMs = timesSince(before.exchanges, wellFromMs);
    // One that is started meanwhile takes no reads before it is there.
    if (name === 'redis-at-start') await before.stop();
    let hurtFromMs = performance.now();
    await begin(arena);
    const during = name === 'redis-at-start' ? arena.read({ clients: 2 }) : before;
    // A process that has just started is slow without any fault.
    if (during !== before) await waitFor('the first reads', () => during.exchanges.length > WARM);
    hurtFromMs = during === before ? hurtFromMs : performance.now();
    await arena.wait(isQuick ? QUICK_MS : AWAY_MS);
    const hurtMs = timesSince(during.exchanges, hurtFromMs);
    const writing = arena.write({ clients: 2 });
    await waitFor('the first writes', () => writing.exchanges.length > 10);
    await end(arena);
    await arena.recovers();
    await during.stop();
    const slowerMs = quantile(hurtMs, arena.nearlyAll) - quantile(wellMs, arena.nearlyAll);
    const worstMs = Math.max(...hurtMs);
    arena.holds('no error', during.faults.length === 0 && hurtMs.length > 0, `${hurtMs.length} reads`);
    arena.tookLess(`p${arena.nearlyAll * 100} of reads at most 25 ms slower`, slowerMs, SLOWER_MS);
    if (!isQuick) {
      const slowestSlowerMs = worstMs - Math.max(...wellMs);
      arena.tookLess('the slowest at most 50 ms slower', slowestSlowerMs, SLOWER_MS + CHANCE_MS);
    }
    arena.tookLess('none hangs', worstMs, HANGS_MS);
  },
}));

/** Bytes; 0: no limit. Nothing is evicted to make room: writes are refused. */
async function setMemory({ system }: Arena, bytes: string): Promise<void> {
  const client = createClient({ url: system.redis.url });
  client.on('error', () => undefined);
  await client.connect();
  await client.configSet('maxmemory', bytes);
  client.destroy();
}
