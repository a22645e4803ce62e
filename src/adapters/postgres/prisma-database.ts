import { PrismaPg } from '@prisma/adapter-pg';
import { Pool } from 'pg';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { noTracing, type Tracing } from '../../runtime/tracing.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { DeadlineError, UnavailableError } from '../../runtime/errors.ts';
import { createNamedStatements } from './named-statements.ts';
import { connectionFaultOf, isTransient } from './postgres-errors.ts';
import { createReplicaSet } from './postgres-replicas.ts';
import { createRetryBudget } from './retry-budget.ts';
import { traceAdapter } from './traced-adapter.ts';
import { Prisma, PrismaClient } from '../generated/prisma/client.ts';

export type Transaction = Prisma.TransactionClient;
/** What a statement can be sent to: a client, or a transaction on it. */
export type Queryable = Pick<Transaction, '$queryRaw' | '$executeRaw'>;

export interface DatabaseOptions {
  readonly url: string;
  readonly replicaUrls: readonly string[];
  readonly poolSize: number;
  /** Postgres ends a statement that takes longer, where a connection is one to Postgres itself. Not set: none. */
  readonly statementTimeoutMs?: number | null;
  /** A replica further behind than this answers no reads. */
  readonly replicaMaxLagMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing?: Tracing;
}

export interface Database {
  /** On a healthy replica, raw SQL too; on the primary when there is none. A replica that fails is left for the next. @throws UnavailableError */
  read<T>(work: (client: PrismaClient) => Promise<T>): Promise<T>;
  /**
   * On a healthy replica that has itself replayed all up to this WAL position, asked on the connection that then reads; on
   * the primary when there is none.
   */
  readPast<T>(position: string, work: (client: Queryable) => Promise<T>): Promise<T>;
  /** On the primary, for a request that waits and needs the latest. @throws UnavailableError also when it takes too long */
  latest<T>(work: (client: PrismaClient) => Promise<T>): Promise<T>;
  /** On the primary, for as long as it takes: writes, and what no request waits for. @throws UnavailableError on anything that may pass */
  primary<T>(work: (client: PrismaClient) => Promise<T>): Promise<T>;
  /** One transaction on the primary; never retried here. @throws UnavailableError on anything that may pass */
  transaction<T>(work: (tx: Transaction) => Promise<T>, timeoutMs?: number): Promise<T>;
  /** Since the primary answered anything, ms; Infinity when it never has. */
  primarySilentMs(): number;
  /** What is wrong with each replica that is out of rotation. */
  replicaFaults(): string[];
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 10_000;
/** Above any sum of rollups; a frozen server would hold the read for ever. */
const READ_DEADLINE_MS = 5_000;
/**
 * How many reads that a replica failed may go on to the next one or to the primary. The reserve is what may be in flight on
 * a replica that dies; replicas that pass their probes and yet fail their reads use it up, and from then on add a tenth to
 * the load, where each server would otherwise be asked every read anew.
 */
const RETRY_BUDGET = { share: 0.1, reserve: 200 };
const TRANSACTION_TIMEOUT_MS = 60_000;

export function createDatabase(options: DatabaseOptions): Database {
  const primary = createClient('primary', options.url, options);
  const fromReplica = options.metrics.databaseReads.labels('replica');
  const fromPrimary = options.metrics.databaseReads.labels('primary');
  fromReplica.inc(0);
  fromPrimary.inc(0);
  const retries = createRetryBudget(RETRY_BUDGET);
  const { readFallbacks } = options.metrics;
  for (const outcome of ['replica', 'primary', 'refused']) readFallbacks.inc({ outcome }, 0);
  let primaryAnsweredAtMs = -Infinity;
  let closed = false;
  const replicas = createReplicaSet({
    primaryPosition: () => onPrimary(findLogPosition),
    clients: options.replicaUrls.map((url, index) => createClient(`replica_${index + 1}`, url, options)),
    maxLagMs: options.replicaMaxLagMs,
    logger: options.logger,
    metrics: options.metrics,
  });

  async function onPrimary<T>(work: (client: PrismaClient) => Promise<T>): Promise<T> {
    // Prisma would connect anew.
    if (closed) throw new UnavailableError('the database is closed');
    try {
      const result = await work(primary);
      primaryAnsweredAtMs = performance.now();
      return result;
    } catch (error) {
      if (!isTransient(error)) throw error;
      const fault = connectionFaultOf(error);
      throw new UnavailableError(`Postgres is away${fault === undefined ? '' : `: ${fault}`}`, error);
    }
  }

  function latest<T>(work: (client: PrismaClient) => Promise<T>): Promise<T> {
    return withDeadline(onPrimary(work), READ_DEADLINE_MS, 'Postgres');
  }

  /** Undefined from `work`: this replica cannot tell, and stays in rotation. */
  async function onReplica<T>(work: (client: PrismaClient) => Promise<{ result: T } | undefined>) {
    retries.earn();
    let failure: unknown;
    const goOnTo = (outcome: 'replica' | 'primary'): void => {
      if (failure === undefined) return;
      const mayRetry = retries.spend();
      readFallbacks.inc({ outcome: mayRetry ? outcome : 'refused' });
      if (!mayRetry) throw new UnavailableError('replicas fail more reads than may be tried again', failure);
    };
    for (const replica of replicas.inRotation()) {
      // It may have left while the one before it hung.
      if (!replica.isWell()) continue;
      goOnTo('replica');
      try {
        const read = await withDeadline(work(replica.client), READ_DEADLINE_MS, 'a replica');
        if (read === undefined) continue;
        fromReplica.inc();
        return read;
      } catch (error) {
        // One slow statement says nothing of the server, and those of a server that hangs do not pass its probe.
        if (!(error instanceof DeadlineError)) {
          if (!isTransient(error)) throw error;
          replica.takeOut(error);
        }
        failure = error;
      }
    }
    goOnTo('primary');
    fromPrimary.inc();
    return undefined;
  }

  return {
    latest,
    primary: onPrimary,
    async read(work) {
      const read = await onReplica(async (client) => ({ result: await work(client) }));
      return read === undefined ? latest(work) : read.result;
    },
    async readPast(position, work) {
      const read = await onReplica((client) =>
        client.$transaction(
          async (tx) => {
            // A statement of its own before the read: within one, the position could be of after its snapshot.
            const [replica] = await tx.$queryRaw<{ past: boolean | null }[]>`
              SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= ${position}::pg_lsn AS past`;
            return replica?.past === true ? { result: await work(tx) } : undefined;
          },
          { maxWait: CONNECT_TIMEOUT_MS, timeout: READ_DEADLINE_MS },
        ),
      );
      return read === undefined ? latest(work) : read.result;
    },
    transaction: (work, timeoutMs = TRANSACTION_TIMEOUT_MS) =>
      onPrimary((client) => client.$transaction(work, { maxWait: CONNECT_TIMEOUT_MS, timeout: timeoutMs })),
    primarySilentMs: () => performance.now() - primaryAnsweredAtMs,
    replicaFaults: () => replicas.faults(),
    async close() {
      closed = true;
      await replicas.close();
      await primary.$disconnect();
    },
  };
}

/** PgBouncer in transaction mode serves as well. */
function createClient(
  name: string,
  url: string,
  { poolSize, statementTimeoutMs, metrics, tracing = noTracing }: DatabaseOptions,
): PrismaClient {
  const statements = createNamedStatements(statementTimeoutMs);
  const pool = new Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
    // A name may lead elsewhere since: after a failover a replica's to the primary that one of its servers has become.
    maxLifetimeSeconds: 60,
    keepAlive: true,
    // The system's own default is hours: a host that vanished would hold its connections so long.
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: 'groundswell',
    verify: statements.verify,
  });
  // Prisma gives a connection back as it is when COMMIT or ROLLBACK failed, as where a replica cancels it to replay: whoever has it next
  // would be refused by the transaction that is still open.
  pool.on('release', (_error, client) => {
    if (client.getTransactionStatus() !== 'I') void client.end();
  });
  metrics.poolConnections.read({ pool: name, state: 'used' }, () => pool.totalCount - pool.idleCount);
  metrics.poolConnections.read({ pool: name, state: 'idle' }, () => pool.idleCount);
  metrics.poolWaiting.read({ pool: name }, () => pool.waitingCount);
  metrics.poolSize.read({ pool: name }, () => poolSize);
  const adapter = new PrismaPg(pool, {
    disposeExternalPool: true,
    statementNameGenerator: statements.nameOf,
    // A broken idle connection is replaced by the pool; without a listener it would end the process.
    onPoolError: () => undefined,
    onConnectionError: () => undefined,
  });
  return new PrismaClient({ adapter: tracing === noTracing ? adapter : traceAdapter(adapter, url, tracing) });
}

async function findLogPosition(client: PrismaClient): Promise<number> {
  const [row] = await client.$queryRaw<{ position: number }[]>`
    SELECT (pg_current_wal_lsn() - '0/0')::float8 AS position`;
  if (row === undefined) throw new Error('Postgres does not tell where its log is');
  return row.position;
}
