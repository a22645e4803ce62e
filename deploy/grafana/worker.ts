import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { curves, dashboard, percentiles } from './panels.ts';

/** What waits, how it is recorded, and what could not be. */
export function worker(): Dashboard {
  return dashboard('groundswell-worker', 'Groundswell: worker', [
    {
      title: 'What waits',
      panels: [
        curves({
          title: 'Depth',
          help: 'Of RabbitMQ messages, each of one or more interactions. Worry when it grows for minutes.',
          unit: 'short',
          queries: { '{{queue}}': 'max by (queue) (groundswell_queue_depth)' },
        }),
        curves({
          title: 'Age of the oldest',
          help: 'Worry over 60 s.',
          unit: 's',
          queries: { '{{queue}}': 'max by (queue) (groundswell_queue_oldest_seconds)' },
        }),
        curves({
          title: 'From accepted to recorded',
          help: 'Worry over 2 s.',
          unit: 's',
          queries: percentiles('groundswell_freshness_seconds_bucket'),
        }),
      ],
    },
    {
      title: 'Recording',
      panels: [
        curves({
          title: 'Outcome',
          help: 'duplicate came a second time and was counted once; discarded was sent by somebody erased since.',
          unit: 'cps',
          queries: { '{{outcome}}': 'sum by (outcome) (rate(groundswell_recorded_total[$__rate_interval]))' },
        }),
        curves({
          title: 'Batch duration',
          help: 'One transaction, commit included.',
          unit: 's',
          queries: percentiles('groundswell_record_batch_duration_seconds_bucket'),
        }),
        curves({
          title: 'Batch size',
          help: 'Interactions in one transaction; at RECORD_BATCH_MAX_ITEMS all the time, the workers are at their limit.',
          unit: 'short',
          queries: percentiles('groundswell_record_batch_size_bucket'),
        }),
        curves({
          title: 'Rejected in an hour',
          help: 'Any growth wants a look: npm run rejected -- list.',
          unit: 'short',
          queries: { '{{reason}}': 'sum by (reason) (increase(groundswell_rejected_total[1h]))' },
        }),
        curves({
          title: 'Failed batches',
          help: 'transient is tried again, poison is halved until the bad row is alone.',
          unit: 'ops',
          queries: {
            '{{kind}}': 'sum by (kind) (rate(groundswell_record_failures_total[$__rate_interval]))',
          },
        }),
      ],
    },
    {
      title: 'Standings',
      panels: [
        curves({
          title: 'Age',
          help: 'Answers for now are this old. Worry over 10 s.',
          unit: 's',
          queries: { age: 'min(groundswell_standings_age_seconds{job="groundswell-worker"})' },
        }),
        curves({
          title: 'One pass',
          help: 'Worry when it stays over 0.5 s.',
          unit: 's',
          queries: percentiles('groundswell_standings_refresh_duration_seconds_bucket'),
        }),
      ],
    },
    {
      title: 'Processes',
      panels: [
        curves({
          title: 'Event loop lag, p99',
          help: 'Worry over 0.2 s.',
          unit: 's',
          queries: { '{{instance}}': 'nodejs_eventloop_lag_p99_seconds{job="groundswell-worker"}' },
        }),
        curves({
          title: 'CPU',
          help: 'Cores.',
          unit: 'short',
          queries: { '{{instance}}': 'rate(process_cpu_seconds_total{job="groundswell-worker"}[$__rate_interval])' },
        }),
        curves({
          title: 'Memory',
          help: 'Resident.',
          unit: 'bytes',
          queries: { '{{instance}}': 'process_resident_memory_bytes{job="groundswell-worker"}' },
        }),
      ],
    },
  ]);
}
