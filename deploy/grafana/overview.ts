import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { curves, dashboard, figure, percentiles } from './panels.ts';

const burn = (slo: string, budget: number) => ({
  '1 hour': `slo:${slo}:error_ratio_rate1h / ${budget}`,
  '6 hours': `slo:${slo}:error_ratio_rate6h / ${budget}`,
  '3 days': `slo:${slo}:error_ratio_rate3d / ${budget}`,
});
const BURN_HELP =
  'How fast the budget of 30 days is used: at 1 it lasts exactly that long, at 14.4 it is gone in two days.';

/** Is anybody suffering, and how much is going on. */
export function overview(): Dashboard {
  return dashboard('groundswell-overview', 'Groundswell: overview', [
    {
      title: 'Now',
      panels: [
        figure({
          title: 'Alerts',
          help: 'Alerts that fire. Each names its runbook.',
          unit: 'short',
          queries: { '': 'count(ALERTS{alertstate="firing"}) or vector(0)' },
        }),
        figure({
          title: 'Requests',
          help: 'Requests a second at the API.',
          unit: 'reqps',
          queries: { '': 'sum(rate(groundswell_http_requests_total{route="api"}[$__rate_interval]))' },
        }),
        figure({
          title: 'Accepted',
          help: 'Interactions a second that became durable.',
          unit: 'cps',
          queries: { '': 'sum(rate(groundswell_published_total[$__rate_interval]))' },
        }),
        figure({
          title: 'Recorded',
          help: 'Interactions a second that were counted. Over minutes as many as are accepted.',
          unit: 'cps',
          queries: { '': 'sum(rate(groundswell_recorded_total{outcome="recorded"}[$__rate_interval]))' },
        }),
        figure({
          title: 'Answered from the cache',
          help: 'Share of whole answers. Worry below a half under load.',
          unit: 'percentunit',
          queries: {
            '': 'sum(rate(groundswell_response_cache_total{outcome="hit"}[$__rate_interval])) / sum(rate(groundswell_response_cache_total[$__rate_interval]))',
          },
        }),
        figure({
          title: 'Rejected, waiting',
          help: 'Interactions that could not be recorded: npm run rejected -- list.',
          unit: 'short',
          queries: { '': 'sum(max by (reason) (groundswell_rejected_waiting)) or vector(0)' },
        }),
      ],
    },
    {
      title: 'Service levels',
      panels: [
        curves({
          title: 'Availability: 99.9 %',
          help: BURN_HELP,
          unit: 'none',
          queries: burn('availability', 0.001),
          width: 6,
        }),
        curves({
          title: 'Cached reads: 99 % within 100 ms',
          help: BURN_HELP,
          unit: 'none',
          queries: burn('cached_read_latency', 0.01),
          width: 6,
        }),
        curves({
          title: 'Accepting: 99 % within 250 ms',
          help: BURN_HELP,
          unit: 'none',
          queries: burn('accept_latency', 0.01),
          width: 6,
        }),
        curves({
          title: 'Freshness: 99 % within 2 s',
          help: BURN_HELP,
          unit: 'none',
          queries: burn('freshness', 0.01),
          width: 6,
        }),
      ],
    },
    {
      title: 'Flow',
      panels: [
        curves({
          title: 'Accepted and recorded',
          help: 'Apart for long, a queue grows.',
          unit: 'cps',
          queries: {
            accepted: 'sum(rate(groundswell_published_total[$__rate_interval]))',
            recorded: 'sum(rate(groundswell_recorded_total{outcome="recorded"}[$__rate_interval]))',
          },
        }),
        curves({
          title: 'From accepted to recorded',
          help: 'Worry over 2 s.',
          unit: 's',
          queries: percentiles('groundswell_freshness_seconds_bucket'),
        }),
        curves({
          title: 'What Prometheus reaches',
          help: 'Targets up, by job.',
          unit: 'short',
          queries: { '{{job}}': 'sum by (job) (up)' },
        }),
      ],
    },
  ]);
}
