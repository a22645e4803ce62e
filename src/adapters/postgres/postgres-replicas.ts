import { messageOf } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { connectionFaultOf } from './postgres-errors.ts';
import { createPrimaryTrail, type PrimaryTrail } from './primary-trail.ts';
import { type PrismaClient, Prisma } from '../generated/prisma/client.ts';

const PROBE_INTERVAL_MS = 500;
const PROBE_DEADLINE_MS = 1_000;

export interface Replica {
  readonly client: PrismaClient;
  /** Whether it is in rotation now. */
  isWell(): boolean;
  /** Out of rotation at once; the next probe that goes well brings it back. */
  takeOut(reason: unknown): void;
}

export interface ReplicaSet {
  /** Those that may be read from, the next one in turn first. */
  inRotation(): Replica[];
  faults(): string[];
  close(): Promise<void>;
}

interface Options {
  /** Where the end of the primary's log is, in bytes. */
  readonly primaryPosition: () => Promise<number>;
  readonly clients: readonly PrismaClient[];
  readonly maxLagMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Reads go round robin to the replicas whose last probe went well and whose lag is within the limit. Lag is the age of the
 * last replayed commit, and 0 when all that was received is replayed: an idle primary sends nothing to replay. What was not
 * received is found by where the primary's log was; while the primary does not answer, nothing is added to it.
 */
export function createReplicaSet(options: Options): ReplicaSet {
  const trail = createPrimaryTrail();
  const members = options.clients.map((client, index) => createMember(client, index, trail, options));
  let turn = 0;
  options.metrics.configuredReplicas.set(members.length);
  let following: Promise<void> | undefined;
  /** Never waited for, and one at a time: a primary that hangs holds up no probe. */
  const follow = async (): Promise<void> => {
    try {
      const position = await options.primaryPosition();
      trail.add(position, performance.now());
    } catch {
      // It is away: what replicas lack is not known.
    }
    following = undefined;
  };
  const probe = async (): Promise<void> => {
    following ??= follow();
    await Promise.all(members.map((member) => member.probe()));
    options.metrics.healthyReplicas.set(members.filter((member) => member.isWell()).length);
  };
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  const loop = async (): Promise<void> => {
    await probe();
    if (!closed) timer = setTimeout(() => void loop(), PROBE_INTERVAL_MS);
  };
  const running = members.length === 0 ? Promise.resolve() : loop();

  return {
    inRotation() {
      const healthy = members.filter((member) => member.isWell());
      if (healthy.length < 2) return healthy;
      turn = (turn + 1) % healthy.length;
      return [...healthy.slice(turn), ...healthy.slice(0, turn)];
    },
    faults: () => members.flatMap((member) => member.fault() ?? []),
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
      await Promise.all(options.clients.map((client) => client.$disconnect()));
    },
  };
}

function createMember(
  client: PrismaClient,
  index: number,
  trail: PrimaryTrail,
  { maxLagMs, logger, metrics }: Options,
) {
  const name = `replica ${index + 1}`;
  const labels = { replica: String(index + 1) };
  let fault: string | null = `${name}: not probed yet`;

  function become(next: string | null): void {
    if ((next === null) !== (fault === null)) {
      if (next === null) logger.info({ replica: index + 1 }, 'replica in rotation');
      else logger.warn({ replica: index + 1, fault: next }, 'replica out of rotation');
    }
    fault = next;
  }

  async function measure(): Promise<string | null> {
    const rows = await client.$queryRaw<
      { recovering: boolean; receiving: boolean; replayed: number | null; lag_ms: number | null }[]
    >(Prisma.sql`
      SELECT pg_is_in_recovery() AS recovering, EXISTS (SELECT FROM pg_stat_wal_receiver) AS receiving,
        (pg_last_wal_replay_lsn() - '0/0')::float8 AS replayed,
        CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
          ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000 END::float8 AS lag_ms`);
    const row = rows[0];
    const missedMs = trail.behindMs(row?.replayed ?? 0, performance.now());
    const lagMs = typeof row?.lag_ms === 'number' ? Math.max(row.lag_ms, missedMs) : null;
    if (lagMs === null) metrics.replicaLag.remove(labels);
    else metrics.replicaLag.set(labels, lagMs / 1_000);
    if (row === undefined || !row.recovering) return `${name}: not a replica`;
    if (!row.receiving) return `${name}: not connected to its primary`;
    if (lagMs === null || lagMs > maxLagMs) return `${name}: ${Math.round(lagMs ?? Infinity)} ms behind`;
    return null;
  }

  return {
    client,
    fault: () => fault,
    isWell: () => fault === null,
    takeOut(reason: unknown): void {
      become(`${name}: ${wordsOf(reason)}`);
    },
    async probe(): Promise<void> {
      try {
        become(await withDeadline(measure(), PROBE_DEADLINE_MS, name));
      } catch (error) {
        metrics.replicaLag.remove(labels);
        become(`${name}: ${wordsOf(error)}`);
      }
    },
  };
}

function wordsOf(error: unknown): string {
  return connectionFaultOf(error) ?? messageOf(error);
}
