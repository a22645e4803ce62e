import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createGroupMetrics } from './group-metrics.ts';

/** One process's metrics, on their way through JSON as between two processes. */
function createProcess() {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({ name: 'requests_total', help: 'x', labelNames: ['status'], registers });
  const seconds = new Histogram({ name: 'seconds', help: 'x', buckets: [1], registers });
  const bytes = new Gauge({ name: 'bytes', help: 'x', registers });
  return {
    requests,
    seconds,
    bytes,
    told: async (): Promise<unknown> => JSON.parse(JSON.stringify(await registry.getMetricsAsJSON())),
  };
}

async function linesOf(group: ReturnType<typeof createGroupMetrics>): Promise<string[]> {
  return (await group.text([])).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

it('processes are summed, and one that tells again replaces what it told', async () => {
  const group = createGroupMetrics();
  const [one, two] = [createProcess(), createProcess()];
  one.requests.inc({ status: '200' }, 3);
  two.requests.inc({ status: '200' }, 4);
  two.requests.inc({ status: '503' });
  group.update(1, await one.told());
  group.update(2, await two.told());
  one.requests.inc({ status: '200' });
  group.update(1, await one.told());
  expect(await linesOf(group)).toEqual(
    expect.arrayContaining(['requests_total{status="200"} 8', 'requests_total{status="503"} 1']),
  );
});

it('a sum does not fall when processes end, and what was of the moment goes with them', async () => {
  const group = createGroupMetrics();
  for (let process = 1; process <= 3; process += 1) {
    const { requests, seconds, bytes, told } = createProcess();
    requests.inc({ status: '200' });
    seconds.observe(0.5);
    bytes.set(7);
    group.update(process, await told());
    if (process < 3) group.ended(process);
  }
  const lines = await linesOf(group);
  expect(lines).toContain('requests_total{status="200"} 3');
  expect(lines).toContain('seconds_bucket{le="1"} 3');
  expect(lines).toContain('seconds_count 3');
  expect(lines).toContain('bytes 7');
});

it('a process that tells nothing usable is left as it was', async () => {
  const group = createGroupMetrics();
  const { requests, told } = createProcess();
  requests.inc({ status: '200' });
  group.update(1, await told());
  group.update(1, undefined);
  expect(await linesOf(group)).toContain('requests_total{status="200"} 1');
});
