import { expect, test, vi } from 'vitest';
import { encodeMessage } from '../src/interactions/message.ts';
import type { Backlog } from '../src/interactions/queue.ts';
import { UnavailableError } from '../src/runtime/errors.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { createInHand } from './in-hand.ts';
import { sampleBacklog } from './sample-backlog.ts';
import { interaction } from './testing/deliveries.ts';

async function sampled(
  backlog: () => Promise<Backlog>,
  take = (_inHand: ReturnType<typeof createInHand>) => undefined,
) {
  const metrics = createMetrics();
  const inHand = createInHand();
  const stopping = new AbortController();
  take(inHand);
  const asOf = vi.fn(async () => new Date(Date.now() - 7_000));
  const running = sampleBacklog({
    sources: [{ name: 'outbox', backlog }],
    inHand,
    rejected: { countByReason: async () => new Map([['ID_REUSED', 3]]) },
    standings: { asOf },
    metrics,
    logger: createLogger('silent', 'test'),
    signal: stopping.signal,
  });
  await vi.waitFor(async () => expect(await metrics.registry.metrics()).toContain('standings_age_seconds 7'));
  const text = await metrics.registry.metrics();
  stopping.abort();
  await running;
  const valueOf = (series: string): number | undefined => {
    const line = text.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length));
  };
  return valueOf;
}

test('what waits, since when, what was rejected and how old the standings are become metrics', async () => {
  const oldest = encodeMessage({ ...interaction('x'), acceptedAtMs: Date.now() - 90_000 });
  const valueOf = await sampled(async () => ({ depth: 12, oldest }));
  expect(valueOf('groundswell_queue_depth{queue="outbox"}')).toBe(12);
  expect(valueOf('groundswell_queue_oldest_seconds{queue="outbox"}')).toBeGreaterThanOrEqual(90);
  expect(valueOf('groundswell_rejected_waiting{reason="ID_REUSED"}')).toBe(3);
});

test('a queue that cannot be asked has no depth, and what is in hand still has its age', async () => {
  const valueOf = await sampled(
    () => Promise.reject(new UnavailableError('away')),
    (inHand) => void inHand.take('outbox', Date.now() - 30_000),
  );
  expect(valueOf('groundswell_queue_depth{queue="outbox"}')).toBeUndefined();
  expect(valueOf('groundswell_queue_oldest_seconds{queue="outbox"}')).toBeGreaterThanOrEqual(30);
});

test('an empty queue has no oldest', async () => {
  const valueOf = await sampled(async () => ({ depth: 0, oldest: null }));
  expect(valueOf('groundswell_queue_oldest_seconds{queue="outbox"}')).toBe(0);
});

test('a batch is in hand until it is settled', () => {
  const inHand = createInHand();
  const settleOld = inHand.take('rabbitmq', 1_000);
  const settleNew = inHand.take('rabbitmq', 2_000);
  expect([inHand.oldestMs('rabbitmq'), inHand.oldestMs('outbox')]).toEqual([1_000, Infinity]);
  settleOld();
  expect(inHand.oldestMs('rabbitmq')).toBe(2_000);
  settleNew();
  expect(inHand.oldestMs('rabbitmq')).toBe(Infinity);
});
