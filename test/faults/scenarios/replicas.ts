import { query } from '../../servers/query.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { metricOf } from '../metric-of.ts';
import type { Arena, Row } from '../row.ts';

const AWAY_MS = 30_000;
const QUICK_MS = 1_000;
const OUT_MS = 2_000;
/** A probe of the API's each half second, and the time in which a replica finds its primary again. */
const BACK_MS = 5_000;

interface Fault {
  readonly name: string;
  readonly fault: string;
  /** Of the two replicas, the one to hurt. */
  begin(arena: Arena, index: number): Promise<void>;
  end(arena: Arena, index: number): Promise<void>;
}

const FAULTS: readonly Fault[] = [
  {
    name: 'replica-killed',
    fault: 'one of two replicas killed',
    begin: async ({ system }, index) => system.postgres.replicas[index]?.kill(),
    end: async ({ system }, index) => system.postgres.replicas[index]?.restart(),
  },
  {
    name: 'replica-frozen',
    fault: 'one of two replicas frozen (SIGSTOP)',
    begin: async ({ system }, index) => system.postgres.replicas[index]?.pause(),
    end: async ({ system }, index) => system.postgres.replicas[index]?.resume(),
  },
  {
    name: 'replica-lagging',
    fault: 'one of two replicas lags (replay paused)',
    begin: (arena, index) => replay(arena, index, 'pause'),
    end: (arena, index) => replay(arena, index, 'resume'),
  },
];

export const replicas: readonly Row[] = FAULTS.map(({ name, fault, begin, end }) => ({
  name,
  fault,
  async run(arena) {
    const { system, isQuick } = arena;
    const healthy = (): Promise<number> => metricOf(system.api.metricsUrl, 'groundswell_healthy_replicas');
    const index = arena.between(0, 2);
    // The lag is measured by what is written.
    arena.write({ clients: 2 });
    const reading = arena.read();
    await waitFor('both in rotation', async () => (await healthy()) === 2);
    await waitFor('the first reads', () => reading.exchanges.length > 20);
    const begunAtMs = performance.now();
    await begin(arena, index);
    await waitFor('it to be out of rotation', async () => (await healthy()) === 1, { everyMs: 20 });
    arena.tookLess('out of rotation within 2 s', performance.now() - begunAtMs, OUT_MS);
    await arena.wait(isQuick ? QUICK_MS : AWAY_MS);
    await end(arena, index);
    const endedAtMs = performance.now();
    await waitFor('it to be back', async () => (await healthy()) === 2, { everyMs: 20 });
    arena.tookLess('back within 5 s', performance.now() - endedAtMs, BACK_MS);
    await arena.recovers();
    await reading.stop();
    arena.holds('no failed read', reading.faults.length === 0, `${reading.exchanges.length} reads`);
  },
}));

async function replay({ system }: Arena, index: number, what: 'pause' | 'resume'): Promise<void> {
  await query(system.postgres.replicas[index]?.url ?? '', `SELECT pg_wal_replay_${what}()`);
}
