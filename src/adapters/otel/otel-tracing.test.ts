import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { startCollector, type Collector } from '../../../test/tracing/start-collector.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { Tracing } from '../../runtime/tracing.ts';
import { createOtelTracing } from './otel-tracing.ts';

const SAMPLED = `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01`;
const UNSAMPLED = `00-${'b'.repeat(32)}-${'2'.repeat(16)}-00`;
const ends: AsyncDisposable[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end[Symbol.asyncDispose]();
});

/** Of traces that begin here, `ratio` is recorded. */
async function setUp(ratio = 0): Promise<{ tracing: Tracing; collector: Collector }> {
  const collector = await startCollector();
  ends.push(collector);
  const tracing = createOtelTracing({
    url: `${collector.url}/v1/traces`,
    headers: {},
    resource: { 'service.name': 'test' },
    sampler: { parentBased: true, ratio },
    logger: createLogger('silent', 'test'),
  });
  return { tracing, collector };
}

it('what is not sampled has no span, and runs as it would without tracing', async () => {
  const { tracing, collector } = await setUp();
  const seen = await Promise.all(
    [{}, { traceparent: UNSAMPLED }, { traceparent: 'nonsense' }].map(async (headers) =>
      tracing.request(headers, async (span) => [span, tracing.current()]),
    ),
  );
  expect(seen.flat()).toEqual([null, null, null, null, null, null]);
  expect(await tracing.batch('batch', [UNSAMPLED, 'nonsense'], {}, async () => tracing.current())).toBeNull();
  await tracing.close();
  expect(collector.spans).toEqual([]);
});

it.each([0.25, 1])('of the requests that begin a trace, %f are recorded', async (ratio) => {
  const { tracing } = await setUp(ratio);
  const requests = 2_000;
  let recorded = 0;
  for (let n = 0; n < requests; n += 1) await tracing.request({}, async (span) => void (recorded += span ? 1 : 0));
  // Ten standard deviations: by chance it misses once in a universe.
  const deviation = Math.sqrt(ratio * (1 - ratio) * requests);
  expect(Math.abs(recorded - ratio * requests)).toBeLessThanOrEqual(10 * deviation);
  await tracing.close();
});

it('the current span is that of the work at hand, beside other work, and none when it is done', async () => {
  const { tracing } = await setUp();
  let late: Promise<unknown> = Promise.resolve();
  const request = async (): Promise<void> =>
    tracing.request({ traceparent: SAMPLED }, async (span) => {
      expect(tracing.current()).toBeNull();
      await span?.within(async () => {
        await new Promise((resolve) => setImmediate(resolve));
        expect(tracing.current()?.traceparent).toBe(span.traceparent);
        late = new Promise((resolve) => setTimeout(() => resolve(tracing.current()), 20));
      });
      expect(tracing.current()).toBeNull();
    });
  await Promise.all([request(), request(), request()]);
  expect(await late).toBeNull();
  await tracing.close();
});

it('what goes wrong is marked by its code, without the words of the error', async () => {
  const { tracing, collector } = await setUp();
  const error = Object.assign(new Error('with a secret'), { code: 'BROKEN' });
  const failing = tracing.request({ traceparent: SAMPLED }, async (span) =>
    span?.child('client', 'child', {}, async () => Promise.reject(error)),
  );
  await expect(failing).rejects.toBe(error);
  await tracing.close();
  expect(collector.spans.map(({ failed, attributes }) => [failed, attributes['error.type']])).toEqual([
    [true, 'BROKEN'],
    [true, 'BROKEN'],
  ]);
  expect(collector.received()).not.toContain('secret');
});

it('a batch has at most 128 links, each to a trace that is recorded, once', async () => {
  const { tracing, collector } = await setUp();
  const origins = Array.from({ length: 200 }, (_, n) => `00-${'c'.repeat(29)}${n + 100}-${'3'.repeat(16)}-01`);
  await tracing.batch('batch', [SAMPLED, SAMPLED, UNSAMPLED, ...origins], {}, async () => undefined);
  await tracing.close();
  const batch = collector.spans.find(({ name }) => name === 'batch');
  expect(batch?.links).toHaveLength(128);
  expect(new Set(batch?.links.map(({ traceId }) => traceId)).size).toBe(128);
  expect(batch?.links[0]?.traceId).toBe('a'.repeat(32));
});

it('a line of the log names the trace it was written in, and none where there is none', async () => {
  const { tracing } = await setUp();
  const lines: string[] = [];
  const into = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const logger = pino({ mixin: () => tracing.current()?.fields ?? {} }, into);
  logger.warn('before');
  await tracing.batch('batch', [SAMPLED], {}, async () => {
    await Promise.resolve();
    logger.warn('inside');
  });
  const [before, inside] = lines.map((line): unknown => JSON.parse(line));
  expect(before).not.toHaveProperty('trace_id');
  expect(inside).toMatchObject({ trace_id: expect.stringMatching(/^[0-9a-f]{32}$/), span_id: expect.any(String) });
  await tracing.close();
});

it('a collector that is away costs no error, and no more than a second at the end', async () => {
  const { tracing, collector } = await setUp();
  await collector[Symbol.asyncDispose]();
  ends.length = 0;
  await tracing.request({ traceparent: SAMPLED }, async () => undefined);
  const startedAtMs = performance.now();
  await tracing.close();
  expect(performance.now() - startedAtMs).toBeLessThan(5_000);
});
