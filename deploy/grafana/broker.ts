import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { curves, dashboard } from './panels.ts';

/** RabbitMQ, Redis and nginx. */
export function broker(): Dashboard {
  return dashboard('groundswell-broker', 'Groundswell: broker, cache and proxy', [
    {
      title: 'RabbitMQ',
      panels: [
        curves({
          title: 'Messages',
          help: 'Ready wait for a worker, unacknowledged are in one’s hands.',
          unit: 'short',
          queries: {
            ready: 'sum(rabbitmq_queue_messages_ready)',
            unacknowledged: 'sum(rabbitmq_queue_messages_unacked)',
          },
        }),
        curves({
          title: 'Consumers and connections',
          help: 'One consumer for each worker.',
          unit: 'short',
          queries: { consumers: 'sum(rabbitmq_queue_consumers)', connections: 'sum(rabbitmq_connections)' },
        }),
        curves({
          title: 'Memory, of the watermark',
          help: 'At 100 % publishers are blocked, and the outbox takes over.',
          unit: 'percentunit',
          queries: {
            '{{instance}}': 'rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes',
          },
        }),
        curves({
          title: 'Disk free, over its limit',
          help: 'At 1 publishers are blocked.',
          unit: 'short',
          queries: {
            '{{instance}}': 'rabbitmq_disk_space_available_bytes / rabbitmq_disk_space_available_limit_bytes',
          },
        }),
        curves({
          title: 'Alarms',
          help: '1 is an alarm: publishers are blocked.',
          unit: 'short',
          queries: {
            memory: 'max(rabbitmq_alarms_memory_used_watermark)',
            disk: 'max(rabbitmq_alarms_free_disk_space_watermark)',
          },
        }),
      ],
    },
    {
      title: 'Redis',
      panels: [
        curves({
          title: 'Memory',
          help: 'Of maxmemory; then keys are thrown out.',
          unit: 'bytes',
          queries: { used: 'redis_memory_used_bytes', max: 'redis_memory_max_bytes' },
        }),
        curves({
          title: 'Commands',
          help: 'A second.',
          unit: 'ops',
          queries: { '{{instance}}': 'rate(redis_commands_processed_total[$__rate_interval])' },
        }),
        curves({
          title: 'Keys gone',
          help: 'evicted had to make room before their time.',
          unit: 'ops',
          queries: {
            evicted: 'rate(redis_evicted_keys_total[$__rate_interval])',
            expired: 'rate(redis_expired_keys_total[$__rate_interval])',
          },
        }),
      ],
    },
    {
      title: 'nginx',
      panels: [
        curves({
          title: 'Requests',
          help: 'A second, those answered from its own cache included.',
          unit: 'reqps',
          queries: { '{{instance}}': 'rate(nginx_http_requests_total[$__rate_interval])' },
        }),
        curves({
          title: 'Connections',
          help: 'waiting are kept alive between two requests.',
          unit: 'short',
          queries: {
            active: 'nginx_connections_active',
            waiting: 'nginx_connections_waiting',
          },
        }),
      ],
    },
  ]);
}
