import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { curves, dashboard } from './panels.ts';

/** Pools, PgBouncer, the primary and its replicas. */
export function database(): Dashboard {
  return dashboard('groundswell-database', 'Groundswell: database', [
    {
      title: 'Connections',
      panels: [
        curves({
          title: 'Used, of each pool',
          help: 'Of DATABASE_POOL_SIZE for each process.',
          unit: 'percentunit',
          queries: {
            '{{instance}} {{pool}}':
              'sum by (instance, pool) (groundswell_database_pool_connections{state="used"}) / sum by (instance, pool) (groundswell_database_pool_size)',
          },
        }),
        curves({
          title: 'Waiting for a connection',
          help: 'Worry when it stays over 0: in a process, or in PgBouncer.',
          unit: 'short',
          queries: {
            '{{instance}} {{pool}}': 'sum by (instance, pool) (groundswell_database_pool_waiting)',
            'PgBouncer {{database}}': 'sum by (database) (pgbouncer_pools_client_waiting_connections)',
          },
        }),
        curves({
          title: 'PgBouncer to Postgres',
          help: 'Server connections, by what they do. Worry when all of default_pool_size are active.',
          unit: 'short',
          queries: {
            active: 'sum(pgbouncer_pools_server_active_connections)',
            idle: 'sum(pgbouncer_pools_server_idle_connections)',
          },
        }),
        curves({
          title: 'Of max_connections',
          help: 'Worry over 85 %.',
          unit: 'percentunit',
          queries: {
            '{{instance}}':
              'sum by (instance) (pg_stat_activity_count) / on (instance) max by (instance) (pg_settings_max_connections)',
          },
        }),
      ],
    },
    {
      title: 'Replicas',
      panels: [
        curves({
          title: 'Lag',
          help: 'As each process sees it. Over DATABASE_REPLICA_MAX_LAG_MS a replica answers no reads.',
          unit: 's',
          queries: { '{{instance}} replica {{replica}}': 'groundswell_replica_lag_seconds' },
        }),
        curves({
          title: 'Well',
          help: 'Replicas that answer reads, of those configured.',
          unit: 'short',
          queries: {
            '{{instance}}': 'groundswell_healthy_replicas',
            configured: 'max(groundswell_configured_replicas)',
          },
        }),
        curves({
          title: 'Where reads go',
          help: 'primary grows when no replica is well.',
          unit: 'ops',
          queries: { '{{target}}': 'sum by (target) (rate(groundswell_database_reads_total[$__rate_interval]))' },
        }),
      ],
    },
    {
      title: 'Postgres',
      panels: [
        curves({
          title: 'Transactions',
          help: 'Commits and rollbacks of the database a second.',
          unit: 'ops',
          queries: {
            'commits {{instance}}':
              'sum by (instance) (rate(pg_stat_database_xact_commit{datname="groundswell"}[$__rate_interval]))',
            'rollbacks {{instance}}':
              'sum by (instance) (rate(pg_stat_database_xact_rollback{datname="groundswell"}[$__rate_interval]))',
          },
        }),
        curves({
          title: 'Read from memory',
          help: 'Blocks found in shared buffers. Worry below 95 %.',
          unit: 'percentunit',
          queries: {
            '{{instance}}':
              'sum by (instance) (rate(pg_stat_database_blks_hit{datname="groundswell"}[$__rate_interval])) / (sum by (instance) (rate(pg_stat_database_blks_hit{datname="groundswell"}[$__rate_interval])) + sum by (instance) (rate(pg_stat_database_blks_read{datname="groundswell"}[$__rate_interval])))',
          },
        }),
        curves({
          title: 'Size',
          help: 'Of the database on disk.',
          unit: 'bytes',
          queries: { '{{instance}}': 'pg_database_size_bytes{datname="groundswell"}' },
        }),
        curves({
          title: 'Disk free',
          help: 'Of the disks beside Postgres. Worry below 15 %.',
          unit: 'percentunit',
          queries: {
            '{{instance}} {{mountpoint}}':
              'node_filesystem_avail_bytes{job="postgres"} / node_filesystem_size_bytes{job="postgres"}',
          },
        }),
        curves({
          title: 'Deadlocks and conflicts',
          help: 'Deadlocks should be none: batches are sorted. Conflicts are reads that a replica gave up.',
          unit: 'ops',
          queries: {
            'deadlocks {{instance}}': 'sum by (instance) (rate(pg_stat_database_deadlocks[$__rate_interval]))',
            'conflicts {{instance}}': 'sum by (instance) (rate(pg_stat_database_conflicts[$__rate_interval]))',
          },
        }),
      ],
    },
  ]);
}
