import type { Maintenance } from '../../interactions/maintenance.ts';
import { sqlState } from './postgres-errors.ts';
import type { Database } from './prisma-database.ts';

const DAY_MS = 86_400_000;
/** HOUR is answered as of up to 48 hours ago, and reaches an hour further back. */
const MINUTES_KEPT = 49 * 60 + 5;
const PURGE_CHUNK = 10_000;
/** To drop a month locks all months: everybody who records queues up behind whoever waits for that. */
const DROP_LOCK_TIMEOUT = '500ms';
const LOCK_TIMED_OUT = '55P03';

/** Minute rollups are kept from here on. */
export function oldestMinute(nowMs: number): number {
  return Math.floor(nowMs / 60_000) - MINUTES_KEPT;
}

export interface Partitions {
  /** Every month that one of these times (ms since the epoch) falls in has its partitions when this resolves. */
  ensureFor(times: readonly number[]): Promise<void>;
  /** Months that were seen made may be gone. */
  forget(): void;
}

/** Remembers which months it has seen made, so that a batch of known months costs nothing. */
export function createPartitions(database: Database): Partitions {
  const monthOfDay = new Map<number, string>();
  const made = new Set<string>();
  return {
    async ensureFor(times) {
      const missing = new Map<string, Date>();
      for (const time of times) {
        const day = Math.floor(time / DAY_MS);
        const month = monthOfDay.get(day) ?? monthName(day);
        monthOfDay.set(day, month);
        if (!made.has(month)) missing.set(month, new Date(day * DAY_MS));
      }
      for (const [month, at] of [...missing].toSorted(([a], [b]) => a.localeCompare(b))) {
        await database.primary((client) => client.$executeRaw`SELECT ensure_month(${at})`);
        made.add(month);
      }
    },
    forget: () => made.clear(),
  };
}

function monthName(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 7);
}

export function createPostgresMaintenance(database: Database): Maintenance {
  const partitions = createPartitions(database);

  /** False where somebody else, a backup for one, holds it. */
  async function dropMonth(month: string): Promise<boolean> {
    try {
      await database.transaction(async (tx) => {
        await tx.$executeRaw`SELECT set_config('lock_timeout', ${DROP_LOCK_TIMEOUT}, true)`;
        await tx.$executeRaw`SELECT drop_month(${month})`;
      });
      return true;
    } catch (error) {
      if (sqlState(error) === LOCK_TIMED_OUT) return false;
      throw error;
    }
  }

  return {
    async ensurePartitions(fromMs, toMs) {
      const days: number[] = [];
      for (let time = fromMs; time < toMs; time += DAY_MS) days.push(time);
      await partitions.ensureFor([...days, toMs]);
    },

    async dropPartitions(retentionDays) {
      if (retentionDays === 0) return [];
      const keepFrom = monthName(Math.floor(Date.now() / DAY_MS) - retentionDays).replace('-', '');
      const months = await database.primary(
        (client) => client.$queryRaw<{ month: string }[]>`
          SELECT DISTINCT right(c.relname, 6) AS month FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE i.inhparent IN ('interactions'::regclass, 'people'::regclass) AND c.relname ~ '_[0-9]{6}$'
            AND right(c.relname, 6) < ${keepFrom}
          ORDER BY 1`,
      );
      const dropped: string[] = [];
      for (const { month } of months) if (await dropMonth(month)) dropped.push(month);
      return dropped;
    },

    async purgeMinutes() {
      const before = oldestMinute(Date.now());
      let purged = 0;
      for (;;) {
        const count = await database.primary(
          (client) => client.$executeRaw`
            DELETE FROM minutes WHERE (item_key, minute, type) IN (
              SELECT item_key, minute, type FROM minutes WHERE minute < ${before}
              ORDER BY item_key, minute, type LIMIT ${PURGE_CHUNK} FOR UPDATE SKIP LOCKED)`,
        );
        purged += count;
        if (count < PURGE_CHUNK) return purged;
      }
    },
  };
}
