import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { curves, dashboard, percentiles } from './panels.ts';

/** Who asks what, how fast it is answered, and what the API processes have left. */
export function api(): Dashboard {
  return dashboard('groundswell-api', 'Groundswell: API', [
    {
      title: 'Requests',
      panels: [
        curves({
          title: 'By status',
          help: 'Worry when 5xx grow. 404 and 400 are clients at fault.',
          unit: 'reqps',
          queries: {
            '{{status}}': 'sum by (status) (rate(groundswell_http_requests_total{route="api"}[$__rate_interval]))',
          },
        }),
        curves({
          title: 'Duration',
          help: 'From the request line to the last byte handed to the socket.',
          unit: 's',
          queries: percentiles('groundswell_http_request_duration_seconds_bucket'),
        }),
        curves({
          title: 'At work, and refused',
          help: 'Requests at work of each process, and those that a limit refused.',
          unit: 'short',
          queries: {
            'at work {{instance}}': 'groundswell_http_requests_in_flight',
            'refused a second: {{limit}}': 'sum by (limit) (rate(groundswell_limited_total[$__rate_interval]))',
          },
        }),
      ],
    },
    {
      title: 'Operations',
      panels: [
        curves({
          title: 'Rate',
          help: 'Registered names; everything else is other.',
          unit: 'reqps',
          queries: { '{{operation}}': 'sum by (operation) (rate(groundswell_operations_total[$__rate_interval]))' },
        }),
        curves({
          title: 'Outcome',
          help: 'partial and fault are ours, refused the client’s.',
          unit: 'reqps',
          queries: { '{{outcome}}': 'sum by (outcome) (rate(groundswell_operations_total[$__rate_interval]))' },
        }),
        curves({
          title: 'Duration by kind',
          help: 'The promise: cached within 100 ms, accept within 250 ms, each for 99 %.',
          unit: 's',
          queries: percentiles('groundswell_operation_duration_seconds_bucket', 'kind'),
        }),
        curves({
          title: 'Duration by operation, p99',
          help: 'Where the time goes.',
          unit: 's',
          queries: {
            '{{operation}}':
              'histogram_quantile(0.99, sum by (le, operation) (rate(groundswell_operation_duration_seconds_bucket[$__rate_interval])))',
          },
        }),
        curves({
          title: 'Persisted queries',
          help: 'Before enforcing, unlisted should stand still.',
          unit: 'reqps',
          queries: {
            '{{outcome}}': 'sum by (outcome) (rate(groundswell_persisted_queries_total[$__rate_interval]))',
          },
        }),
      ],
    },
    {
      title: 'Caches',
      panels: [
        curves({
          title: 'Whole answers',
          help: 'From Redis, or the memory of the process.',
          unit: 'ops',
          queries: { '{{outcome}}': 'sum by (outcome) (rate(groundswell_response_cache_total[$__rate_interval]))' },
        }),
        curves({
          title: 'Pages and items',
          help: 'shared waited for a load that somebody else had begun (single flight).',
          unit: 'ops',
          queries: { '{{outcome}}': 'sum by (outcome) (rate(groundswell_data_cache_total[$__rate_interval]))' },
        }),
        curves({
          title: 'Calls to Redis that failed',
          help: 'Reads go on, slower.',
          unit: 'ops',
          queries: { '{{instance}}': 'sum by (instance) (rate(groundswell_cache_errors_total[$__rate_interval]))' },
        }),
      ],
    },
    {
      title: 'Accepting',
      panels: [
        curves({
          title: 'Durable in',
          help: 'outbox while RabbitMQ is configured means that it is passed over.',
          unit: 'cps',
          queries: { '{{queue}}': 'sum by (queue) (rate(groundswell_published_total[$__rate_interval]))' },
        }),
        curves({
          title: 'Until durable',
          help: 'To the publisher confirm, or the commit of the outbox. Worry over 250 ms.',
          unit: 's',
          queries: percentiles('groundswell_publish_duration_seconds_bucket'),
        }),
        curves({
          title: 'Not durable yet, and failed',
          help: 'Worry near QUEUE_MAX_IN_FLIGHT, and when failures grow.',
          unit: 'short',
          queries: {
            'in flight: {{queue}}': 'sum by (queue) (groundswell_publish_in_flight)',
            'failed a second: {{queue}}': 'sum by (queue) (rate(groundswell_publish_failures_total[$__rate_interval]))',
          },
        }),
      ],
    },
    {
      title: 'Processes',
      panels: [
        curves({
          title: 'Event loop lag, p99',
          help: 'Worry over 0.2 s. Of several processes behind one port the worst.',
          unit: 's',
          queries: { '{{instance}}': 'nodejs_eventloop_lag_p99_seconds{job="groundswell-api"}' },
        }),
        curves({
          title: 'CPU',
          help: 'Cores. One process uses one and a little more.',
          unit: 'short',
          queries: { '{{instance}}': 'rate(process_cpu_seconds_total{job="groundswell-api"}[$__rate_interval])' },
        }),
        curves({
          title: 'Memory',
          help: 'Resident, of all processes of an instance together.',
          unit: 'bytes',
          queries: { '{{instance}}': 'process_resident_memory_bytes{job="groundswell-api"}' },
        }),
      ],
    },
  ]);
}
