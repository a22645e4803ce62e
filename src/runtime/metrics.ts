import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export type Metrics = ReturnType<typeof createMetrics>;

/** Every metric of the API and the worker. Base units; labels are bounded: never an item, a person or a raw operation name. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    httpRequests: new Counter({
      name: 'groundswell_http_requests_total',
      help: 'Requests answered by the API, by status. Worry when 5xx grow.',
      labelNames: ['status'] as const,
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
    databaseReads: new Counter({
      name: 'groundswell_database_reads_total',
      help: 'Reads by where they went: replica, primary. Worry when primary grows though replicas are configured.',
      labelNames: ['target'] as const,
      registers,
    }),
    healthyReplicas: new Gauge({
      name: 'groundswell_healthy_replicas',
      help: 'Read replicas that answer and are within the lag limit; of several processes the one that sees the fewest.',
      aggregator: 'min',
      registers,
    }),
    persistedQueries: new Counter({
      name: 'groundswell_persisted_queries_total',
      help: 'Persisted queries by outcome: listed, automatic, not_found, unlisted (log mode; enforce would refuse it), refused. Before enforcing, unlisted should stand still.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    rateLimited: new Counter({
      name: 'groundswell_limited_total',
      help: 'Requests refused by a limit: rate, busy, body, complexity.',
      labelNames: ['limit'] as const,
      registers,
    }),
  };
}
