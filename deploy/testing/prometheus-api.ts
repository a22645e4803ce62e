import { waitFor } from '../../test/servers/wait-for.ts';

export interface PrometheusApi {
  /** Instant: each sample's value. */
  query(expression: string): Promise<number[]>;
  /** The alerts that fire now: `Name (severity)`. */
  firing(): Promise<Set<string>>;
  /** Resolves once each has been seen to fire; not all need do so at the same moment. */
  untilFired(names: readonly string[], deadlineMs: number): Promise<void>;
  /** Resolves once every target answers. */
  untilScraped(deadlineMs: number): Promise<void>;
  untilSilent(names: readonly string[], deadlineMs: number): Promise<void>;
}

export function prometheusApi(url: string): PrometheusApi {
  async function get<Data>(path: string): Promise<Data> {
    const response = await fetch(`${url}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    const body: { status: string; error?: string; data: Data } = JSON.parse(await response.text());
    if (body.status !== 'success') throw new Error(`Prometheus: ${body.error}`);
    return body.data;
  }

  async function firing(): Promise<Set<string>> {
    const { alerts } = await get<{ alerts: { state: string; labels: { alertname: string; severity: string } }[] }>(
      'alerts',
    );
    return new Set(
      alerts.flatMap(({ state, labels }) => (state === 'firing' ? [`${labels.alertname} (${labels.severity})`] : [])),
    );
  }

  async function query(expression: string): Promise<number[]> {
    const { result } = await get<{ result: { value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(expression)}`,
    );
    return result.map(({ value: [, value] }) => Number(value));
  }

  return {
    query,
    firing,
    async untilFired(names, deadlineMs) {
      const missing = new Set(names);
      await waitFor(
        `${names.join(', ')} to fire`,
        async () => {
          for (const name of await firing()) missing.delete(name);
          if (missing.size > 0) throw new Error(`did not: ${[...missing].join(', ')}`);
          return true;
        },
        { deadlineMs, everyMs: 300 },
      );
    },
    untilScraped: (deadlineMs) =>
      waitFor(
        'every target to answer',
        async () => {
          const up = await query('up');
          return up.length > 0 && up.every((value) => value === 1);
        },
        { deadlineMs, everyMs: 300 },
      ),
    untilSilent: (names, deadlineMs) =>
      waitFor(
        `${names.join(', ')} to end`,
        async () => {
          const now = await firing();
          const still = names.filter((name) => now.has(name));
          if (still.length > 0) throw new Error(`still firing: ${still.join(', ')}`);
          return true;
        },
        { deadlineMs, everyMs: 300 },
      ),
  };
}
