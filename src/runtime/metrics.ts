import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry, type Aggregator } from 'prom-client';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Rates need a first value to grow from, so what should never happen is there as 0 before it does. */
const REASONS = ['INVALID_MESSAGE', 'NEWER_VERSION', 'ITEM_NOT_FOUND', 'ID_REUSED', 'RECORD_FAILED'];
const LIMITS = ['busy', 'lag', 'reader', 'body', 'complexity', 'sums', 'includes'];

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Every metric of the API and the worker. Base units; labels are bounded: never an item, a person or a raw operation name.
 * An `aggregator` says what several API processes behind one port are together; counters and histograms are summed.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  // One process that stands still is the news; the average over its siblings, prom-client's own choice, would hide it.
  for (const statistic of ['', '_mean', '_max', '_p50', '_p90', '_p99']) {
    const lag = registry.getSingleMetric(`nodejs_eventloop_lag${statistic}_seconds`);
    if (lag !== undefined) Object.assign(lag, { aggregator: 'max' });
  }
  const metrics = {
    registry,
    httpRequests: new Counter({
      name: 'groundswell_http_requests_total',
      help: 'Requests answered by the API, by status and route: api, health. Worry when 5xx of api grow.',
      labelNames: ['status', 'route'] as const,
      registers,
    }),
    apiProcesses: new Gauge({
      name: 'groundswell_api_processes',
      help: 'API processes behind the port with WEB_CONCURRENCY over 1, by state: wanted, listening. Worry while fewer listen than are wanted.',
      labelNames: ['state'] as const,
      registers,
    }),
    apiProcessExits: new Counter({
      name: 'groundswell_api_process_exits_total',
      help: 'API processes that ended without being told to, and were replaced. Any growth wants a look at the log.',
      registers,
    }),
    httpInFlight: readGauge(
      {
        name: 'groundswell_http_requests_in_flight',
        help: 'GraphQL requests at work. Worry near MAX_REQUESTS_IN_FLIGHT: beyond it requests are answered with 503.',
        registers,
      },
      [],
    ),
    httpLimit: readGauge(
      {
        name: 'groundswell_http_requests_limit',
        help: 'GraphQL requests that may be at work at once: at most MAX_REQUESTS_IN_FLIGHT, less while they take longer than usual. Worry when it stays low: what they wait for is slow.',
        registers,
      },
      [],
    ),
    httpOpenShare: readGauge(
      {
        name: 'groundswell_http_open_share',
        help: 'Share of GraphQL requests let in while the event loop runs late: 1 when it does not. Worry when it stays below 1: add API processes.',
        aggregator: 'min',
        registers,
      },
      [],
    ),
    operations: new Counter({
      name: 'groundswell_operations_total',
      help: 'Operations run, by registered name (of the persisted manifests and our own clients, everything else is other) and outcome: ok, refused (the request was at fault), partial (a fault of ours in a part of it), fault. Worry when partial or fault grow.',
      labelNames: ['operation', 'outcome'] as const,
      registers,
    }),
    operationDuration: new Histogram({
      name: 'groundswell_operation_duration_seconds',
      help: 'From the parsed request to its answer, of operations that ran well, by registered name and kind: cached (a whole answer from the cache), read, accept (records or retracts), admin. Worry at the 99th percentile over 0.1 s for cached, 0.25 s for accept.',
      labelNames: ['operation', 'kind'] as const,
      buckets: SECONDS,
      registers,
    }),
    httpDuration: new Histogram({
      name: 'groundswell_http_request_duration_seconds',
      help: 'Time from the request line to the last byte handed to the socket. Worry over 0.1 s for reads at the 99th percentile.',
      buckets: SECONDS,
      registers,
    }),
    responseCache: new Counter({
      name: 'groundswell_response_cache_total',
      help: 'Whole answers from the response cache, by outcome: hit, miss. Worry when hits fall below half under load.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    dataCache: new Counter({
      name: 'groundswell_data_cache_total',
      help: 'Ranking pages and items from the data cache, by outcome: fresh, stale, miss, shared (waited for another load).',
      labelNames: ['outcome'] as const,
      registers,
    }),
    cacheErrors: new Counter({
      name: 'groundswell_cache_errors_total',
      help: 'Calls to the cache or the pending writes that failed, timed out or met an open breaker. Reads go on, slower.',
      registers,
    }),
    published: new Counter({
      name: 'groundswell_published_total',
      help: 'Interactions accepted, by where they are durable: rabbitmq, outbox. Worry when outbox grows while RabbitMQ is configured.',
      labelNames: ['queue'] as const,
      registers,
    }),
    publishFailures: new Counter({
      name: 'groundswell_publish_failures_total',
      help: 'Publishes that failed or missed their deadline, by queue.',
      labelNames: ['queue'] as const,
      registers,
    }),
    publishDuration: new Histogram({
      name: 'groundswell_publish_duration_seconds',
      help: 'Time to the publisher confirm or the outbox commit. Worry over 0.25 s.',
      buckets: SECONDS,
      registers,
    }),
    publishInFlight: readGauge(
      {
        name: 'groundswell_publish_in_flight',
        help: 'Interactions published and not durable yet, by queue. Worry near QUEUE_MAX_IN_FLIGHT.',
        registers,
      },
      ['queue'],
    ),
    queueDepth: new Gauge({
      name: 'groundswell_queue_depth',
      help: 'Interactions that wait in a queue, as the workers see it every few seconds; each sees the whole, so take the maximum. Of RabbitMQ messages not handed out yet, each of one or more interactions. Worry when it grows for minutes.',
      labelNames: ['queue'] as const,
      aggregator: 'max',
      registers,
    }),
    queueOldest: readGauge(
      {
        name: 'groundswell_queue_oldest_seconds',
        help: 'How long ago the oldest interaction that is not recorded was accepted, by queue: of the outbox whichever waits longest, of RabbitMQ the oldest in a worker’s hands. 0: none. Worry over 60.',
        aggregator: 'max',
        registers,
      },
      ['queue'],
    ),
    recorded: new Counter({
      name: 'groundswell_recorded_total',
      help: 'Interactions taken from a queue, by outcome: recorded, duplicate, discarded (viewer erased), rejected.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    rejected: new Counter({
      name: 'groundswell_rejected_total',
      help: 'Interactions kept in the rejected table, by reason. Any growth wants a look: npm run rejected -- list.',
      labelNames: ['reason'] as const,
      registers,
    }),
    rejectedWaiting: new Gauge({
      name: 'groundswell_rejected_waiting',
      help: 'Interactions in the rejected table, by reason, until somebody replays or discards them; counted up to 10,000.',
      labelNames: ['reason'] as const,
      aggregator: 'max',
      registers,
    }),
    recordBatchSize: new Histogram({
      name: 'groundswell_record_batch_size',
      help: 'Interactions per transaction.',
      buckets: [1, 5, 10, 50, 100, 250, 500, 1_000, 2_500],
      registers,
    }),
    recordBatchDuration: new Histogram({
      name: 'groundswell_record_batch_duration_seconds',
      help: 'Time to record one batch, commit included. Worry when it nears the batch interval under steady load.',
      buckets: SECONDS,
      registers,
    }),
    recordFailures: new Counter({
      name: 'groundswell_record_failures_total',
      help: 'Batches that failed, by kind: transient (tried again), poison (bisected).',
      labelNames: ['kind'] as const,
      registers,
    }),
    freshness: new Histogram({
      name: 'groundswell_freshness_seconds',
      help: 'From accepted to recorded. Worry over 2 s.',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1_800],
      registers,
    }),
    standingsRefresh: new Histogram({
      name: 'groundswell_standings_refresh_duration_seconds',
      help: 'One pass over what was touched. Worry when it stays over 0.5 s.',
      buckets: SECONDS,
      registers,
    }),
    standingsAge: readGauge(
      {
        name: 'groundswell_standings_age_seconds',
        help: 'How long ago the standings took in all that was recorded, as the workers see it. Answers for now are this old, and a little more. Worry over 10.',
        aggregator: 'max',
        registers,
      },
      [],
    ),
    databaseReads: new Counter({
      name: 'groundswell_database_reads_total',
      help: 'Reads by where they went: replica, primary. Worry when primary grows though replicas are configured.',
      labelNames: ['target'] as const,
      registers,
    }),
    readFallbacks: new Counter({
      name: 'groundswell_read_fallbacks_total',
      help: 'Reads that failed on replicas, by where they went on: replica (the next one), primary, or refused since more than a tenth of all reads failed so. Any refused wants a look at the replicas.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    healthyReplicas: new Gauge({
      name: 'groundswell_healthy_replicas',
      help: 'Read replicas that answer and are within the lag limit; of several processes the one that sees the fewest.',
      aggregator: 'min',
      registers,
    }),
    configuredReplicas: new Gauge({
      name: 'groundswell_configured_replicas',
      help: 'Read replicas in DATABASE_REPLICA_URLS.',
      aggregator: 'max',
      registers,
    }),
    replicaLag: new Gauge({
      name: 'groundswell_replica_lag_seconds',
      help: 'How far a replica is behind its primary, by its place in DATABASE_REPLICA_URLS; no value while it does not answer. Worry near DATABASE_REPLICA_MAX_LAG_MS: beyond it the replica answers no reads.',
      labelNames: ['replica'] as const,
      aggregator: 'max',
      registers,
    }),
    poolConnections: readGauge(
      {
        name: 'groundswell_database_pool_connections',
        help: 'Connections of a pool to Postgres, by pool (primary, replica_1 ...) and state: used, idle.',
        registers,
      },
      ['pool', 'state'],
    ),
    poolWaiting: readGauge(
      {
        name: 'groundswell_database_pool_waiting',
        help: 'Who waits for a connection of a pool. Worry when it stays over 0.',
        registers,
      },
      ['pool'],
    ),
    poolSize: readGauge(
      {
        name: 'groundswell_database_pool_size',
        help: 'Connections that a pool may open: DATABASE_POOL_SIZE for each process.',
        registers,
      },
      ['pool'],
    ),
    persistedQueries: new Counter({
      name: 'groundswell_persisted_queries_total',
      help: 'Persisted queries by outcome: listed, automatic, not_found, unlisted (log mode; enforce would refuse it), refused. Before enforcing, unlisted should stand still.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    rateLimited: new Counter({
      name: 'groundswell_limited_total',
      help: 'Requests refused by a limit: busy (too many at work), lag (the event loop is late), reader (cut off: did not take its answer), body, complexity, sums (of the past), includes (too many wait for their writes).',
      labelNames: ['limit'] as const,
      registers,
    }),
  };
  for (const reason of REASONS) metrics.rejected.inc({ reason }, 0);
  for (const limit of LIMITS) metrics.rateLimited.inc({ limit }, 0);
  return metrics;
}

export interface ReadGauge<Label extends string> {
  /** From now on each scrape asks `read`, which must cost next to nothing: what the process holds in memory anyway. */
  read(labels: Readonly<Record<Label, string>>, read: () => number): void;
}

function readGauge<const Label extends string>(
  configuration: { name: string; help: string; aggregator?: Aggregator; registers: Registry[] },
  labelNames: readonly Label[],
): ReadGauge<Label> {
  const readers = new Map<string, { labels: Readonly<Record<Label, string>>; read: () => number }>();
  const gauge = new Gauge({
    ...configuration,
    labelNames,
    collect() {
      for (const { labels, read } of readers.values()) this.set(labels, read());
    },
  });
  // Without labels it would say 0 where nobody reads.
  gauge.remove({});
  return { read: (labels, read) => void readers.set(JSON.stringify(labels), { labels, read }) };
}
