import type { Disk } from '../../servers/mount-disk.ts';
import { query } from '../../servers/query.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { metricOf } from '../metric-of.ts';
import { acceptsAll, outcomesSince } from '../outcomes.ts';
import type { Arena, Row } from '../row.ts';

const AWAY_MS = 30_000;
const QUICK_MS = 2_000;
const TERMINATE_EVERY_MS = 5_000;
const TERMINATIONS = 6;

interface Fault {
  /** For as long as it is to last. */
  hurt(arena: Arena): Promise<void>;
  end(arena: Arena): Promise<unknown>;
}

/** RabbitMQ takes everything meanwhile; the worker waits, tries again ever more rarely, and goes on by itself. */
function faulty(name: string, fault: string, { hurt, end }: Fault): Row {
  return {
    name,
    fault,
    async run(arena) {
      const { system } = arena;
      const worker = system.worker.current();
      const writing = arena.write();
      await waitFor('the first ones', () => writing.exchanges.length > 20);
      const begunAtMs = performance.now();
      await hurt(arena);
      const seen = await outcomesSince(writing, begunAtMs);
      await end(arena);
      acceptsAll(arena, seen);
      await arena.recovers();
      arena.holds('the worker is still the same', worker.exitCode() === null, String(worker.exitCode() ?? 'running'));
    },
  };
}

export const postgresStopped: Row = faulty('postgres-stopped', 'Postgres stopped', {
  async hurt(arena) {
    await arena.system.postgres.primary.terminate();
    await backsOff(arena);
  },
  end: ({ system }) => system.postgres.primary.restart(),
});

export const postgresTerminated: Row = faulty('postgres-backends', 'Postgres terminates its backends every 5 s', {
  async hurt(arena) {
    for (let time = 0; time < (arena.isQuick ? 2 : TERMINATIONS); time += 1) {
      await arena.wait(arena.isQuick ? 500 : TERMINATE_EVERY_MS);
      await query(
        arena.system.postgres.url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`,
      );
    }
  },
  end: () => Promise.resolve(),
});

/** As those who host it do when its disk is full or fails; reads go on. */
const readOnlyByItsHosts: Fault = {
  async hurt(arena) {
    await setReadOnly(arena, 'on');
    await backsOff(arena);
  },
  end: (arena) => setReadOnly(arena, 'off'),
};

export const postgresReadOnly: Row = faulty(
  'postgres-read-only',
  'Postgres made read-only by its hosts (every transaction)',
  readOnlyByItsHosts,
);

/** Postgres ends when its disk fails, and is started again on the one that was repaired. */
export const postgresDiskFails: Row = faulty(
  'postgres-disk-fails',
  "Postgres' disk turns read-only",
  onDisk({
    async hurt(arena, disk) {
      await disk.fail();
      await backsOff(arena);
      await waitFor('Postgres to end', () => arena.system.postgres.primary.pids().length === 0);
    },
    async end({ system }, disk) {
      await disk.repair();
      await system.postgres.primary.restart();
    },
  }),
);

/** Where there is no room for its WAL, Postgres ends; until then each batch that needs room fails. */
export const postgresDiskFull: Row = faulty(
  'postgres-disk-full',
  "Postgres' disk full",
  onDisk({
    async hurt(arena, disk) {
      await disk.fill();
      await backsOff(arena);
    },
    async end({ system }, disk) {
      const { primary, url } = system.postgres;
      disk.empty();
      const isUp = async (): Promise<boolean> => (await query(url, 'SELECT').catch(() => [])).length > 0;
      await waitFor('Postgres to go on or to end', async () => primary.pids().length === 0 || (await isUp()));
      if (primary.pids().length === 0) await primary.restart();
    },
  }),
);

/** Where Postgres has no disk of its own, it is made read-only by its hosts instead, and the row says so. */
function onDisk({ hurt, end }: { [Step in keyof Fault]: (arena: Arena, disk: Disk) => Promise<unknown> }): Fault {
  return {
    async hurt(arena) {
      const { disk } = arena.system;
      if (disk !== null) return void (await hurt(arena, disk));
      arena.holds('NOT on a disk: none can be mounted here', true, 'by its hosts instead');
      await readOnlyByItsHosts.hurt(arena);
    },
    async end(arena) {
      const { disk } = arena.system;
      await (disk === null ? readOnlyByItsHosts.end(arena) : end(arena, disk));
    },
  };
}

async function setReadOnly({ system }: Arena, state: 'on' | 'off'): Promise<void> {
  await query(system.postgres.url, `ALTER SYSTEM SET default_transaction_read_only = ${state}`);
  await query(system.postgres.url, 'SELECT pg_reload_conf()');
}

async function backsOff(arena: Arena): Promise<void> {
  const forMs = arena.isQuick ? QUICK_MS : AWAY_MS;
  const countTries = (): Promise<number> =>
    metricOf(arena.system.worker.metricsUrl, 'groundswell_record_failures_total', 'kind="transient"');
  const before = await countTries();
  await arena.wait(forMs);
  const tries = (await countTries()) - before;
  // Two batches at a time, from 100 ms on doubling to 5 s.
  const most = 2 * (8 + forMs / 2_500);
  arena.holds('the worker backs off', tries > 0 && tries <= most, `${tries} tries in ${forMs / 1_000} s`);
}
