import { describe, expect, it, vi } from 'vitest';
import { encodeMessage } from '../src/interactions/message.ts';
import { UnavailableError } from '../src/runtime/errors.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { startWorker, type WorkerPorts } from './start-worker.ts';
import { delivery, interaction, memorySource } from './testing/deliveries.ts';
import { memoryRecorder } from './testing/memory-recorder.ts';

async function setUp(drainMs = 5_000) {
  const recorder = memoryRecorder();
  const sources = [memorySource(), memorySource()] as const;
  const refreshes: number[] = [];
  const replayed: bigint[] = [];
  const maintained: string[] = [];
  const newer = Buffer.from(JSON.stringify({ v: 99 }));
  const ports: WorkerPorts = {
    recorder,
    pending: {
      add: async () => [],
      ofViewer: async () => [],
      find: async () => null,
      remove: async () => undefined,
      erase: async () => undefined,
    },
    rejected: {
      list: async (_filter, afterSeq) =>
        [newer, encodeMessage(interaction('known by now')), newer].flatMap((body, index) => {
          const seq = BigInt(index + 1);
          const row = {
            seq,
            body,
            interactionId: null,
            reason: 'NEWER_VERSION' as const,
            detail: '',
            rejectedAt: new Date(),
          };
          return seq > afterSeq ? [row] : [];
        }),
      async replay({ seqs = [] }) {
        replayed.push(...seqs);
        return seqs.length;
      },
      discard: async () => 0,
      countByReason: async () => new Map(),
    },
    standings: {
      async refresh() {
        refreshes.push(performance.now());
        return { led: true, touchedItems: 1, more: refreshes.length < 3, asOf: new Date() };
      },
      asOf: async () => new Date(),
    },
    maintenance: {
      async ensurePartitions(fromMs, toMs) {
        maintained.push(`${new Date(fromMs).toISOString().slice(0, 10)} ${new Date(toMs).toISOString().slice(0, 7)}`);
      },
      dropPartitions: async (days) => [maintained.push(`drop after ${days}`).toString()],
      purgeMinutes: async () => maintained.push('purge minutes'),
    },
    createSources: () => [...sources],
  };
  const worker = await startWorker(ports, {
    batch: { maxItems: 100, maxWaitMs: 60_000 },
    maxAgeDays: 30,
    retentionDays: 90,
    drainMs,
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
  });
  return { worker, recorder, sources, refreshes, replayed, maintained };
}

describe('startWorker', () => {
  it('records from every queue and acknowledges to the queue it came from', async () => {
    const { worker, recorder, sources } = await setUp();
    const [first, second] = sources;
    first.deliver(...Array.from({ length: 100 }, () => delivery('of the first')));
    second.deliver(...Array.from({ length: 100 }, () => delivery('of the second')));
    await vi.waitFor(() => expect(recorder.recorded).toHaveLength(200));
    await worker.stop();
    expect(recorder.calls.map((items) => new Set(items).size)).toEqual([1, 1]);
    expect(first.acked).toHaveLength(100);
    expect(second.acked).toHaveLength(100);
  });

  it('on stop takes nothing more, records and acknowledges what is in hand, then closes', async () => {
    const { worker, recorder, sources } = await setUp();
    const [source] = sources;
    source.deliver(delivery('in hand'));
    expect(recorder.calls).toEqual([]);
    await worker.stop();
    expect(recorder.recorded).toEqual(['in hand']);
    expect(source.events).toEqual(['stop', 'close after 1 acknowledged']);
  });

  it('on stop hands back what cannot be recorded in time', async () => {
    const { worker, recorder, sources } = await setUp(50);
    const [source] = sources;
    recorder.before = () => {
      throw new UnavailableError('the database is away');
    };
    source.deliver(delivery('in hand'));
    await worker.stop();
    expect(source.acked).toEqual([]);
    expect(source.requeued).toHaveLength(1);
  });

  it('stops once, however often it is asked', async () => {
    const { worker, sources } = await setUp();
    await Promise.all([worker.stop(), worker.stop()]);
    expect(sources[0].events).toHaveLength(2);
  });

  it('names the queue that gives nothing', async () => {
    const { worker, sources } = await setUp();
    expect(worker.fault()).toBeNull();
    await sources[1].stop(0);
    expect(worker.fault()).toBe('no deliveries from outbox');
    await worker.stop();
    expect(worker.fault()).toBe('stopping');
  });

  it('refreshes the standings again at once while more is waiting', async () => {
    const { worker, refreshes } = await setUp();
    await vi.waitFor(() => expect(refreshes.length).toBeGreaterThanOrEqual(5), { timeout: 5_000 });
    const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0] = refreshes;
    // The third says that nothing is waiting; the fourth is at the next half second of the clock, however soon that is.
    expect(fifth - fourth).toBeGreaterThan(450);
    expect(third - first).toBeLessThan(fifth - fourth);
    expect(second).toBeGreaterThanOrEqual(first);
    await worker.stop();
  });

  it('makes partitions from the oldest time it takes to two months ahead, drops old ones and purges minutes', async () => {
    const { worker, maintained } = await setUp();
    await vi.waitFor(() => expect(maintained).toHaveLength(3));
    await worker.stop();
    const now = new Date();
    const from = new Date(Date.now() - 31 * 86_400_000).toISOString().slice(0, 10);
    const to = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 2, 1)).toISOString().slice(0, 7);
    expect(maintained.toSorted()).toEqual([`${from} ${to}`, 'drop after 90', 'purge minutes'].toSorted());
  });

  it('replays only those messages of a newer version that it can read by now', async () => {
    const { worker, replayed } = await setUp();
    await vi.waitFor(() => expect(replayed).toEqual([2n]));
    await worker.stop();
  });
});
