import pg from 'pg';
import { messageOf } from '../../runtime/errors.ts';
import type { Finding } from '../../runtime/finding.ts';
import { connectForChecks } from './postgres-session.ts';
import { isBelow } from '../version-floor.ts';

const FLOOR = 150_000;
const PGBOUNCER_FLOOR = [1, 18] as const;
const PGBOUNCER_SILENT = 'behind PgBouncer, which does not tell this user its version (stats_users)';
/** Interactions from 5 minutes ahead are taken; windows are cut by Postgres's clock and by ours. */
const MAX_CLOCK_DIFFERENCE_MS = 2_000;
/** New processes of a rolling update connect while the old ones still do. */
const MAX_CONNECTIONS_USED = 0.9;

export interface PostgresExamination {
  readonly part: string;
  readonly url: string;
  /** Null: this is the primary. */
  readonly replicaMaxLagMs: number | null;
}

/** Never rejects. */
export async function examinePostgres({ part, url, replicaMaxLagMs }: PostgresExamination): Promise<Finding> {
  try {
    await using session = await connectForChecks(url);
    const sentMs = Date.now();
    const { rows } = await session.client.query<Row>(EXAMINATION);
    const answeredMs = Date.now();
    const row = rows[0];
    if (row === undefined) throw new Error('no answer');
    const differenceMs = Math.round(Number(row.now_ms) - (sentMs + answeredMs) / 2);
    const pgBouncer = session.behindPgBouncer ? await pgBouncerVersion(url) : null;
    const problems = [
      ...(Number(row.version) < FLOOR ? ['older than 15: upgrade Postgres'] : []),
      ...(replicaMaxLagMs === null ? primaryProblems(row) : replicaProblems(row, replicaMaxLagMs)),
      ...(row.connections > row.max_connections * MAX_CONNECTIONS_USED
        ? [
            'nearly all connections are taken: lower DATABASE_POOL_SIZE, put PgBouncer before it or raise max_connections',
          ]
        : []),
      ...(Math.abs(differenceMs) > MAX_CLOCK_DIFFERENCE_MS
        ? [`its clock differs from ours by ${differenceMs} ms: synchronize both (NTP)`]
        : []),
      ...(pgBouncer !== null && isBelow(pgBouncer, PGBOUNCER_FLOOR)
        ? [`PgBouncer ${pgBouncer} is older than 1.18: upgrade PgBouncer`]
        : []),
    ];
    const facts = [
      `Postgres ${row.shown_version}`,
      ...(session.behindPgBouncer ? [pgBouncer === null ? PGBOUNCER_SILENT : `behind PgBouncer ${pgBouncer}`] : []),
      `answers in ${answeredMs - sentMs} ms`,
      `clock ${Math.abs(differenceMs)} ms ${differenceMs < 0 ? 'behind' : 'ahead of'} ours`,
      `${row.connections} of ${row.max_connections} connections`,
      ...(replicaMaxLagMs === null || row.lag_ms === null ? [] : [`${Math.round(row.lag_ms)} ms behind`]),
    ];
    return { part, ok: problems.length === 0, text: [...facts, ...problems].join('; ') };
  } catch (error) {
    return {
      part,
      ok: false,
      text: `cannot be reached: ${messageOf(error)}; check the URL, the network and the password`,
    };
  }
}

interface Row {
  readonly version: string;
  readonly shown_version: string;
  readonly recovering: boolean;
  readonly read_only: boolean;
  readonly receiving: boolean;
  readonly lag_ms: number | null;
  readonly now_ms: string;
  readonly fsync: boolean;
  readonly synchronous_commit: boolean;
  readonly connections: number;
  readonly max_connections: number;
}

const EXAMINATION = `
  SELECT current_setting('server_version_num') AS version, current_setting('server_version') AS shown_version,
    pg_is_in_recovery() AS recovering, current_setting('transaction_read_only') = 'on' AS read_only,
    EXISTS (SELECT FROM pg_stat_wal_receiver) AS receiving,
    CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
      ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000 END::float8 AS lag_ms,
    current_setting('fsync') = 'on' AS fsync, current_setting('synchronous_commit') <> 'off' AS synchronous_commit,
    (SELECT count(*)::integer FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
    current_setting('max_connections')::integer AS max_connections,
    extract(epoch FROM clock_timestamp()) * 1000 AS now_ms`;

function primaryProblems(row: Row): string[] {
  if (row.recovering) return ['it is a replica (in recovery): point DATABASE_URL at the primary, or promote this one'];
  return [
    ...(row.read_only ? ['it is read-only: let the role write (default_transaction_read_only)'] : []),
    ...(row.fsync ? [] : ['fsync is off, so a crash loses what was accepted: set it to on']),
    ...(row.synchronous_commit
      ? []
      : ['synchronous_commit is off, so a crash loses what was accepted: set it to on (ALTER ROLE … SET)']),
  ];
}

function replicaProblems(row: Row, maxLagMs: number): string[] {
  if (!row.recovering) return ['it is no replica: remove it from DATABASE_REPLICA_URLS, or set up streaming'];
  if (!row.receiving) return ['it is not connected to its primary: check primary_conninfo'];
  if (row.lag_ms === null || row.lag_ms > maxLagMs) {
    return [`over the ${maxLagMs} ms of DATABASE_REPLICA_MAX_LAG_MS, so it answers no reads`];
  }
  return [];
}

/** From its console, which few users may open; null when not. */
async function pgBouncerVersion(url: string): Promise<string | null> {
  const console = new URL(url);
  console.pathname = '/pgbouncer';
  const client = new pg.Client({ connectionString: console.href, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string }>('SHOW VERSION');
    return /\d+\.\d+(\.\d+)?/.exec(rows[0]?.version ?? '')?.[0] ?? null;
  } catch {
    return null;
  } finally {
    await client.end().catch(() => undefined);
  }
}
