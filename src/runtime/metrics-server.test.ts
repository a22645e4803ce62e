import { expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { createMetricsServer } from './metrics-server.ts';
import { createReadiness, type ReadinessCheck } from './readiness.ts';

async function start(checks: ReadinessCheck[] = [], deadlineMs = 2_000) {
  const readiness = createReadiness({ checks, deadlineMs, holdMs: 0, freshMs: 0 });
  const { registry } = createMetrics();
  const server = createMetricsServer({ registry, readiness, logger: createLogger('silent', 'test') });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  return { url: `http://127.0.0.1:${port}`, port, readiness, server, [Symbol.asyncDispose]: () => server.close() };
}

it('metrics are in the text format of Prometheus', async () => {
  await using metrics = await start();
  const response = await fetch(`${metrics.url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  expect(await response.text()).toContain('# TYPE groundswell_http_requests_total counter');
});

it('a process that drains is alive and not ready', async () => {
  await using metrics = await start();
  expect((await fetch(`${metrics.url}/health/ready`)).status).toBe(200);
  metrics.readiness.beginDraining();
  expect((await fetch(`${metrics.url}/health/ready`)).status).toBe(503);
  expect((await fetch(`${metrics.url}/health/live`)).status).toBe(200);
});

it('a part that does not answer in time is not ready', async () => {
  await using metrics = await start([{ name: 'queue', required: true, check: () => new Promise(() => {}) }], 20);
  const response = await fetch(`${metrics.url}/health/ready`);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    parts: [{ name: 'queue', problem: 'queue did not answer within 20 ms' }],
  });
});

it('other paths and methods get JSON errors', async () => {
  await using metrics = await start();
  const missing = await fetch(`${metrics.url}/`);
  expect(missing.status).toBe(404);
  expect(await missing.json()).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
  expect((await fetch(`${metrics.url}/metrics`, { method: 'POST' })).status).toBe(405);
});

it('a port that is taken is said to be', async () => {
  await using metrics = await start();
  const { registry } = createMetrics();
  const second = createMetricsServer({
    registry,
    readiness: metrics.readiness,
    logger: createLogger('silent', 'test'),
  });
  await expect(second.listen({ host: '127.0.0.1', port: metrics.port })).rejects.toThrow('EADDRINUSE');
});
