import { AggregatorRegistry } from 'prom-client';
import { isRecord } from '../runtime/is-record.ts';

/** Metrics of processes that come and go, as one that stays: a sum never falls because a process ended. */
export interface GroupMetrics {
  /** What a process says of itself now, as `registry.getMetricsAsJSON()` has it; it replaces what it said before. */
  update(process: number, metrics: unknown): void;
  /** Its counters and histograms are kept, as it last told them. */
  ended(process: number): void;
  /** In Prometheus' text format. */
  text(more: object[]): Promise<string>;
}

export function createGroupMetrics(): GroupMetrics {
  const latest = new Map<number, object[]>();
  let past: object[] = [];

  return {
    update(process, metrics) {
      // What says nothing of a group, such as when a process started, is left to `more`.
      if (Array.isArray(metrics))
        latest.set(
          process,
          metrics.filter(isRecord).filter(({ aggregator }) => aggregator !== 'omit'),
        );
    },
    ended(process) {
      const last = latest.get(process);
      if (last === undefined) return;
      latest.delete(process);
      // Waits for nothing in truth: what is aggregated is here already.
      const sums = AggregatorRegistry.aggregate([past, last.filter(onlyGrows)]);
      past = sums.getMetricsAsArray();
    },
    text: (more) => AggregatorRegistry.aggregate([past, ...latest.values(), more]).metrics(),
  };
}

/** Gauges are of the moment. */
function onlyGrows(metric: object): boolean {
  return 'type' in metric && (metric.type === 'counter' || metric.type === 'histogram');
}
