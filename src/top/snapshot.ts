import { metricGrowth } from './metric-growth.ts';
import type { Looked, PartGauges, PrimaryGauges } from './part-gauges.ts';
import type { ProcessGauges } from './process-watcher.ts';

/** Everything as it was at one time. */
export interface Look {
  readonly atMs: number;
  /** By origin, in the order given. */
  readonly processes: ReadonlyMap<string, Looked<ProcessGauges>>;
  readonly parts: PartGauges;
}

export interface ProcessLine {
  readonly origin: string;
  readonly up: boolean;
  readonly ready: boolean;
  readonly problems: readonly string[];
}

/** What `top` shows and `--json` prints: rates are per second between two looks, null where nothing happened. */
export interface Snapshot {
  readonly at: string;
  readonly overSeconds: number;
  readonly processes: readonly ProcessLine[];
  readonly requests: {
    readonly perSecond: number;
    readonly failedPerSecond: number;
    readonly limitedPerSecond: number;
    readonly p50Seconds: number | null;
    readonly p99Seconds: number | null;
  };
  readonly cache: { readonly hitShare: number | null; readonly errorsPerSecond: number };
  readonly accepted: {
    readonly rabbitmqPerSecond: number;
    readonly outboxPerSecond: number;
    readonly failuresPerSecond: number;
    readonly p99Seconds: number | null;
  };
  readonly recorded: {
    readonly perSecond: number;
    readonly duplicatesPerSecond: number;
    readonly discardedPerSecond: number;
    readonly rejectedPerSecond: number;
    readonly failedBatchesPerSecond: number;
    readonly batchMeanItems: number | null;
    readonly batchP99Seconds: number | null;
  };
  readonly freshness: { readonly p50Seconds: number | null; readonly p99Seconds: number | null };
  readonly standings: { readonly passP99Seconds: number | null; readonly ageMs: number | null };
  readonly reads: { readonly replicaPerSecond: number; readonly primaryPerSecond: number };
  readonly primary: Looked<PrimaryGauges & { readonly commitsPerSecond: number | null }>;
  readonly replicas: PartGauges['replicas'];
  readonly queue: PartGauges['queue'];
  readonly store: PartGauges['cache'];
}

export function snapshotBetween(before: Look, after: Look): Snapshot {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000);
  const { grew, quantile } = metricGrowth(samplesOf(before), samplesOf(after));
  const rate = (name: string, labels?: Record<string, string>): number => grew(name, labels) / seconds;
  const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
  const requests = rate('groundswell_http_requests_total');
  const failed = [500, 502, 503, 504].map((status) =>
    rate('groundswell_http_requests_total', { status: String(status) }),
  );
  const outcome = (name: string): number => rate('groundswell_recorded_total', { outcome: name });
  const hits = grew('groundswell_response_cache_total', { outcome: 'hit' });

  return {
    at: new Date(after.atMs).toISOString(),
    overSeconds: seconds,
    processes: [...after.processes].map(([origin, look]) => ({
      origin,
      up: look.up,
      ready: look.up && look.value.ready,
      problems: look.up ? look.value.problems : [look.fault],
    })),
    requests: {
      perSecond: requests,
      failedPerSecond: failed.reduce((sum, one) => sum + one, 0),
      limitedPerSecond: rate('groundswell_limited_total'),
      p50Seconds: quantile('groundswell_http_request_duration_seconds', 0.5),
      p99Seconds: quantile('groundswell_http_request_duration_seconds', 0.99),
    },
    cache: {
      hitShare: ratio(hits, grew('groundswell_response_cache_total')),
      errorsPerSecond: rate('groundswell_cache_errors_total'),
    },
    accepted: {
      rabbitmqPerSecond: rate('groundswell_published_total', { queue: 'rabbitmq' }),
      outboxPerSecond: rate('groundswell_published_total', { queue: 'outbox' }),
      failuresPerSecond: rate('groundswell_publish_failures_total'),
      p99Seconds: quantile('groundswell_publish_duration_seconds', 0.99),
    },
    recorded: {
      perSecond: outcome('recorded'),
      duplicatesPerSecond: outcome('duplicate'),
      discardedPerSecond: outcome('discarded'),
      rejectedPerSecond: outcome('rejected'),
      failedBatchesPerSecond: rate('groundswell_record_failures_total'),
      batchMeanItems: ratio(grew('groundswell_record_batch_size_sum'), grew('groundswell_record_batch_size_count')),
      batchP99Seconds: quantile('groundswell_record_batch_duration_seconds', 0.99),
    },
    freshness: {
      p50Seconds: quantile('groundswell_freshness_seconds', 0.5),
      p99Seconds: quantile('groundswell_freshness_seconds', 0.99),
    },
    standings: {
      passP99Seconds: quantile('groundswell_standings_refresh_duration_seconds', 0.99),
      ageMs: after.parts.primary.up ? after.parts.primary.value.standingsAgeMs : null,
    },
    reads: {
      replicaPerSecond: rate('groundswell_database_reads_total', { target: 'replica' }),
      primaryPerSecond: rate('groundswell_database_reads_total', { target: 'primary' }),
    },
    primary: withCommitRate(before.parts.primary, after.parts.primary, seconds),
    replicas: after.parts.replicas,
    queue: after.parts.queue,
    store: after.parts.cache,
  };
}

/** Whether anything at all answered. */
export function sawSomething({ processes, primary, replicas, queue, store }: Snapshot): boolean {
  return (
    processes.some(({ up }) => up) ||
    primary.up ||
    replicas.some(({ lag }) => lag.up) ||
    queue?.up === true ||
    store?.up === true
  );
}

function samplesOf({ processes }: Look) {
  return new Map([...processes].flatMap(([origin, look]) => (look.up ? [[origin, look.value.samples] as const] : [])));
}

function withCommitRate(
  before: Looked<PrimaryGauges>,
  after: Looked<PrimaryGauges>,
  seconds: number,
): Snapshot['primary'] {
  if (!after.up) return after;
  const commits = before.up ? after.value.commits - before.value.commits : -1;
  return { up: true, value: { ...after.value, commitsPerSecond: commits < 0 ? null : commits / seconds } };
}
