import { growth, histogramPercentile } from './prometheus.ts';
import type { Scenario } from './run-scenario.ts';

export interface ServerRow {
  readonly what: string;
  readonly client: string;
  readonly server: string;
}

/** What the system's own metrics say of the run, beside what the clients saw; empty where it has none. */
export function serverSide({ snapshots, all, ledger }: Scenario): ServerRow[] {
  const [first, last] = [snapshots[0]?.samples, snapshots.at(-1)?.samples];
  if (first === undefined || last === undefined || last.size === 0) return [];
  const grown = (counter: string, label?: string): string => count(growth(first, last, counter, label));
  const within = (histogram: string): string => {
    const seconds = histogramPercentile(first, last, histogram, 0.99);
    return Number.isNaN(seconds) ? 'none' : `at most ${seconds} s`;
  };
  const row = (what: string, server: string, client = ''): ServerRow => ({ what, client, server });
  return [
    row('requests answered by the API', grown('groundswell_http_requests_total'), count(all.requests)),
    row('of those, 5xx', grown('groundswell_http_requests_total', 'status="5'), `${count(all.failed)} failed`),
    row('request, 99 %', within('groundswell_http_request_duration_seconds')),
    row(
      'accepted, durable in RabbitMQ',
      grown('groundswell_published_total', 'queue="rabbitmq"'),
      count(ledger.accepted),
    ),
    row('accepted, durable in the outbox', grown('groundswell_published_total', 'queue="outbox"')),
    row('publisher confirm, 99 %', within('groundswell_publish_duration_seconds')),
    row('recorded', grown('groundswell_recorded_total', 'outcome="recorded"'), count(ledger.recorded)),
    row('sent again, and without effect', grown('groundswell_recorded_total', 'outcome="duplicate"')),
    row('rejected', grown('groundswell_rejected_total')),
    row('accepted to recorded, 99 %', within('groundswell_freshness_seconds')),
    row('recording a batch, 99 %', within('groundswell_record_batch_duration_seconds')),
    row('a pass of the standings, 99 %', within('groundswell_standings_refresh_duration_seconds')),
    row('whole answers from the cache', grown('groundswell_response_cache_total', 'outcome="hit"')),
    row('whole answers computed', grown('groundswell_response_cache_total', 'outcome="miss"')),
  ];
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
