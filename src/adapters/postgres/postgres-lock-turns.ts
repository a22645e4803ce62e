import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';

/** The advisory lock that Prisma's own tools take: one process at a time changes the schema or who may use it. */
const PRISMA_MIGRATE_LOCK = 72_707_369;
/** Whoever wants the table queues up behind a session that waits to lock it, so one attempt waits no longer. */
const LOCK_TIMEOUT_MS = 2_000;
/** Between two attempts, in which they get through. */
const LOCK_RETRY_MS = 1_000;
const PATIENCE_MS = 120_000;
/** Lock timeout, and deadlock: the transaction was rolled back whole. */
const LOCK_FAULTS: readonly unknown[] = ['55P03', '40P01'];

export interface LockTurns {
  /** How long one attempt waits for a lock; 2 s if left out. */
  readonly lockTimeoutMs?: number;
  /** How long to try for locks in all; 2 minutes if left out. */
  readonly patienceMs?: number;
}

/**
 * Waits until no other process is at it, however long that takes, then tries `work`, one transaction on this session, in short turns
 * until the locks that it needs are free. The advisory lock is held until the session ends.
 */
export async function inLockTurns<T>(
  session: Pick<pg.Client | pg.Pool, 'query'>,
  work: () => Promise<T>,
  sqlStateOf: (error: unknown) => unknown,
  { lockTimeoutMs = LOCK_TIMEOUT_MS, patienceMs = PATIENCE_MS }: LockTurns,
): Promise<T> {
  // Whoever is at it may take long, and a database or role may have limits of its own.
  await session.query('SET lock_timeout = 0; SET statement_timeout = 0');
  await session.query(`SELECT pg_advisory_lock(${PRISMA_MIGRATE_LOCK})`);
  await session.query(`SET lock_timeout = ${lockTimeoutMs}`);
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
