import { messageOf } from '../../runtime/errors.ts';
import type { Looked, PrimaryGauges } from '../../top/part-gauges.ts';
import { MAX_COUNT } from '../../top/part-gauges.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { connectForChecks, type CheckSession } from './postgres-session.ts';

const DEADLINE_MS = 3_000;

/** One connection that is kept, and made anew after a failure. */
export interface PostgresGauge<T> {
  look(): Promise<Looked<T>>;
  close(): Promise<void>;
}

interface PrimaryRow {
  readonly connections: number;
  readonly max_connections: number;
  readonly commits: number;
  readonly outbox: number;
  readonly rejected: number;
  readonly standings_age_ms: number | null;
}

const PRIMARY = `
  SELECT (SELECT count(*)::integer FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
    current_setting('max_connections')::integer AS max_connections,
    (SELECT xact_commit::float8 FROM pg_stat_database WHERE datname = current_database()) AS commits,
    (SELECT count(*)::integer FROM (SELECT FROM outbox LIMIT ${MAX_COUNT}) AS waiting) AS outbox,
    (SELECT count(*)::integer FROM (SELECT FROM rejected LIMIT ${MAX_COUNT}) AS kept) AS rejected,
    (SELECT greatest(0, extract(epoch FROM clock_timestamp() - as_of) * 1000)::float8 FROM standings_state) AS standings_age_ms`;

const REPLICA = `
  SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000 END::float8 AS lag_ms,
    EXISTS (SELECT FROM pg_stat_wal_receiver) AS receiving`;

export function createPrimaryGauge(url: string): PostgresGauge<PrimaryGauges> {
  return createGauge(url, async ({ client }) => {
    const sentMs = performance.now();
    const { rows } = await client.query<PrimaryRow>(PRIMARY);
    const [row] = rows;
    if (row === undefined) throw new Error('no answer');
    return {
      answersInMs: performance.now() - sentMs,
      connections: row.connections,
      maxConnections: row.max_connections,
      commits: row.commits,
      outbox: row.outbox,
      rejected: row.rejected,
      standingsAgeMs: row.standings_age_ms,
    };
  });
}

export function createReplicaGauge(url: string): PostgresGauge<{ readonly lagMs: number }> {
  return createGauge(url, async ({ client }) => {
    const { rows } = await client.query<{ lag_ms: number | null; receiving: boolean }>(REPLICA);
    const [row] = rows;
    if (row === undefined || row.lag_ms === null) throw new Error('is no replica, or has replayed nothing yet');
    if (!row.receiving) throw new Error('is not connected to its primary');
    return { lagMs: row.lag_ms };
  });
}

function createGauge<T>(url: string, read: (session: CheckSession) => Promise<T>): PostgresGauge<T> {
  let session: CheckSession | undefined;

  async function close(): Promise<void> {
    const open = session;
    session = undefined;
    await open?.[Symbol.asyncDispose]();
  }
  async function lookOnce(): Promise<T> {
    session ??= await connectForChecks(url);
    return read(session);
  }

  return {
    async look() {
      try {
        return { up: true, value: await withDeadline(lookOnce(), DEADLINE_MS, 'Postgres') };
      } catch (error) {
        // Not waited for: a server that hangs does not say goodbye.
        void close();
        return { up: false, fault: messageOf(error) };
      }
    },
    close,
  };
}
