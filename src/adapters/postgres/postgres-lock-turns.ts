import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';

/** The advisory lock that Prisma's own tools take: one process at a time changes the schema or who may use it. */
const PRISMA_MIGRATE_LOCK = 72_707_369;
/** Everybody who wants the table queues up behind one that waits for it: so long at most. */
const LOCK_TIMEOUT_MS = 2_000;
/** Then it lets them pass, and tries again. */
const LOCK_RETRY_MS = 1_000;
const PATIENCE_MS = 120_000;
/** Lock timeout, and deadlock: all was rolled back. */
const LOCK_FAULTS: readonly unknown[] = ['55P03', '40P01'];

export interface LockTurns {
  /** How long one attempt waits for a lock; 2 s if left out. */
  readonly lockTimeoutMs?: number;
  /** How long to try for locks in all; 2 minutes if left out. */
  readonly patienceMs?: number;
}

/** Once nobody else is at it, tries `work`, a transaction on this session, in short turns until the locks that it needs are free. */
export async function inLockTurns<T>(
  session: Pick<pg.Client | pg.Pool, 'query'>,
  work: () => Promise<T>,
  sqlStateOf: (error: unknown) => unknown,
  { lockTimeoutMs = LOCK_TIMEOUT_MS, patienceMs = PATIENCE_MS }: LockTurns,
): Promise<T> {
  await session.query(`SELECT pg_advisory_lock(${PRISMA_MIGRATE_LOCK})`);
  // Not before: whoever is at it beside us may take long.
  await session.query(`SET lock_timeout = ${lockTimeoutMs}; SET statement_timeout = 0`);
  const giveUpMs = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!LOCK_FAULTS.includes(sqlStateOf(error)) || performance.now() > giveUpMs) throw error;
      await wait(LOCK_RETRY_MS);
    }
  }
}
