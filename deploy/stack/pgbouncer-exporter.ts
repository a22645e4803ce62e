import { createServer } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import { query } from '../../test/servers/query.ts';

/**
 * Stands in, in the stack alone, for prometheuscommunity/pgbouncer-exporter, which compose.yaml has and Debian has not: Debian's
 * prometheus-pgbouncer-exporter 1.7 reads a column that PgBouncer dropped in 1.8, and dies. The same names and labels, as
 * far as rules and dashboards use them. Needs CONSOLE_URL, ADDRESS and PORT.
 */
const STATS = {
  total_xact_count: ['sql_transactions_pooled_total', 1],
  total_query_count: ['queries_pooled_total', 1],
  total_received: ['received_bytes_total', 1],
  total_sent: ['sent_bytes_total', 1],
  total_xact_time: ['server_in_transaction_seconds_total', 1e-6],
  total_query_time: ['queries_duration_seconds_total', 1e-6],
  total_wait_time: ['client_wait_seconds_total', 1e-6],
} as const;

const POOLS = {
  cl_active: 'client_active_connections',
  cl_waiting: 'client_waiting_connections',
  sv_active: 'server_active_connections',
  sv_idle: 'server_idle_connections',
  sv_used: 'server_used_connections',
  sv_tested: 'server_testing_connections',
  sv_login: 'server_login_connections',
  maxwait: 'client_maxwait_seconds',
} as const;

async function scrape(consoleUrl: string): Promise<Registry> {
  const registry = new Registry();
  const up = new Gauge({ name: 'pgbouncer_up', help: 'The console answers.', registers: [registry] });
  try {
    const [stats, pools] = [await query(consoleUrl, 'show stats'), await query(consoleUrl, 'show pools')];
    for (const [column, [name, factor]] of Object.entries(STATS)) {
      const labelNames = ['database'];
      const counter = new Counter({ name: `pgbouncer_stats_${name}`, help: column, labelNames, registers: [registry] });
      for (const row of stats) counter.inc({ database: String(row['database']) }, Number(row[column]) * factor);
    }
    for (const [column, name] of Object.entries(POOLS)) {
      const labelNames = ['database', 'user'];
      const gauge = new Gauge({ name: `pgbouncer_pools_${name}`, help: column, labelNames, registers: [registry] });
      for (const row of pools) {
        gauge.set({ database: String(row['database']), user: String(row['user']) }, Number(row[column]));
      }
    }
    up.set(1);
  } catch {
    up.set(0);
  }
  return registry;
}

const { CONSOLE_URL = '', ADDRESS = '', PORT = '' } = process.env;
createServer((_, response) => {
  scrape(CONSOLE_URL)
    .then(async (registry) => response.setHeader('content-type', registry.contentType).end(await registry.metrics()))
    .catch(() => response.writeHead(500).end());
}).listen(Number(PORT), ADDRESS);
