import { describe, expect, it, vi } from 'vitest';
import type { Interaction } from '../src/interactions/interaction.ts';
import type { Delivery } from '../src/interactions/queue.ts';
import { UnavailableError } from '../src/runtime/errors.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { createInHand } from './in-hand.ts';
import { createBatchRecorder } from './record-batch.ts';
import { delivery, memorySource } from './testing/deliveries.ts';
import { memoryRecorder } from './testing/memory-recorder.ts';

function setUp() {
  const recorder = memoryRecorder();
  const source = memorySource();
  const metrics = createMetrics();
  const stopping = new AbortController();
  const removed: Pick<Interaction, 'id' | 'viewer'>[] = [];
  const recordBatch = createBatchRecorder({
    recorder,
    pending: { remove: async (interactions) => void removed.push(...interactions) },
    metrics,
    inHand: createInHand(),
    logger: createLogger('silent', 'test'),
    signal: stopping.signal,
  });
  return { recorder, source, metrics, stopping, removed, recordBatch };
}

function message(fields: object): Delivery {
  return { body: Buffer.from(JSON.stringify(fields)), redeliveries: 0, outboxSeq: null, traceparent: null };
}

function items(count: number): Delivery[] {
  return Array.from({ length: count }, (_, index) => delivery(`item ${index}`));
}

async function counted(metric: { get(): Promise<{ values: { value: number; labels: object }[] }> }) {
  const { values } = await metric.get();
  return Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels)[0], value]));
}

describe('createBatchRecorder', () => {
  it('records a batch in one call and acknowledges all of it', async () => {
    const { recorder, source, recordBatch, metrics } = setUp();
    const batch = items(10);
    await recordBatch(source, batch);
    expect(recorder.calls).toHaveLength(1);
    expect(source.acked).toEqual(batch);
    expect(await counted(metrics.recorded)).toEqual({ recorded: 10, duplicate: 0, discarded: 0 });
    expect((await metrics.freshness.get()).values.find(({ metricName }) => metricName?.endsWith('_count'))?.value).toBe(
      10,
    );
  });

  it('forgets the preview of what was discarded, since it may be younger than the erasure', async () => {
    const { source, recordBatch, removed, metrics } = setUp();
    await recordBatch(source, [delivery('one'), delivery('erased')]);
    expect(removed).toMatchObject([{ itemId: 'erased' }]);
    expect(await counted(metrics.recorded)).toEqual({ recorded: 1, duplicate: 0, discarded: 1 });
  });

  it('acknowledges nothing before the transaction has committed', async () => {
    const { recorder, source, recordBatch } = setUp();
    let ackedAtCommit = -1;
    recorder.before = () => void (ackedAtCommit = source.acked.length);
    await recordBatch(source, items(3));
    expect(ackedAtCommit).toBe(0);
    expect(source.acked).toHaveLength(3);
  });

  it('rejects exactly the poison rows, with what the database said, and records all others', async () => {
    for (const at of [[0], [99], [0, 1], [13, 14, 57, 99], [...Array(100).keys()]]) {
      const { recorder, source, recordBatch, metrics, removed } = setUp();
      const batch = items(100);
      for (const index of at) batch[index] = delivery(`poison ${index}`);
      await recordBatch(source, batch);
      expect(new Set(recorder.rejected.map(({ interaction }) => interaction?.itemId))).toEqual(
        new Set(at.map((index) => `poison ${index}`)),
      );
      expect(recorder.rejected).toHaveLength(at.length);
      expect(recorder.rejected.every(({ reason, detail }) => reason === 'RECORD_FAILED' && detail === 'bad row')).toBe(
        true,
      );
      expect(new Set(recorder.recorded).size).toBe(100 - at.length);
      expect(recorder.recorded).toHaveLength(100 - at.length);
      expect(new Set(source.acked)).toEqual(new Set(batch));
      expect(source.acked).toHaveLength(100);
      expect(removed).toHaveLength(at.length);
      expect(await counted(metrics.rejected)).toMatchObject({ ID_REUSED: 0, RECORD_FAILED: at.length });
    }
  });

  it('finds one poison row among a thousand in few calls', async () => {
    const { recorder, source, recordBatch } = setUp();
    const batch = items(1_000);
    batch[700] = delivery('poison');
    await recordBatch(source, batch);
    expect(recorder.calls.length).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(1_000)));
  });

  it('rejects what it cannot read, each with its reason, and records the rest', async () => {
    const { recorder, source, recordBatch } = setUp();
    const good = delivery('good');
    const batch = [
      { body: Buffer.from('not json'), redeliveries: 0, outboxSeq: 7n, traceparent: null },
      message({ v: 2, anything: true }),
      message({ v: 1 }),
      { body: Buffer.alloc(70_000, '1'), redeliveries: 0, outboxSeq: null, traceparent: null },
      good,
    ];
    await recordBatch(source, batch);
    expect(recorder.rejected.map(({ reason, outboxSeq }) => [reason, outboxSeq])).toEqual([
      ['INVALID_MESSAGE', 7n],
      ['NEWER_VERSION', null],
      ['INVALID_MESSAGE', null],
      ['INVALID_MESSAGE', null],
    ]);
    expect(recorder.rejected.every(({ interaction }) => interaction === null)).toBe(true);
    expect(recorder.recorded).toEqual(['good']);
    expect(source.acked).toHaveLength(5);
  });

  it('tells the age of what is recorded beside what its client sent again, and not of what the queue handed out again', async () => {
    const { source, recordBatch, metrics } = setUp();
    const again = delivery('one', 1);
    await recordBatch(source, [again]);
    await recordBatch(source, [again, delivery('two'), delivery('unknown'), delivery('erased')]);
    await recordBatch(source, [delivery('three')]);
    const { values } = await metrics.freshness.get();
    expect(values.find(({ metricName }) => metricName?.endsWith('_count'))?.value).toBe(3);
  });

  it('keeps what it cannot read in slices, however large each is', async () => {
    const { recorder, source, recordBatch } = setUp();
    const large = Array.from({ length: 5 }, () => ({ ...delivery('x'), body: Buffer.alloc(7 * 1024 * 1024, '1') }));
    const keptBefore: number[] = [];
    recorder.before = () => void keptBefore.push(recorder.rejected.length);
    await recordBatch(source, [...large, delivery('good')]);
    expect(keptBefore).toEqual([0, 2, 4]);
    expect(recorder.rejected).toHaveLength(5);
    expect(recorder.recorded).toEqual(['good']);
    expect(source.acked).toHaveLength(6);
  });

  it('acknowledges and forgets what the recorder itself rejected', async () => {
    const { source, recordBatch, removed, metrics } = setUp();
    await recordBatch(source, [delivery('good'), delivery('unknown')]);
    expect(source.acked).toHaveLength(2);
    expect(removed).toHaveLength(1);
    expect(await counted(metrics.recorded)).toMatchObject({ recorded: 1, rejected: 1 });
    expect(await counted(metrics.rejected)).toMatchObject({ RECORD_FAILED: 0, ITEM_NOT_FOUND: 1 });
  });

  it('a failed insert leaves every delivery unacknowledged, and is tried again until it works', async () => {
    const { recorder, source, recordBatch, metrics } = setUp();
    const ackedAtFailure: number[] = [];
    recorder.before = () => {
      if (recorder.calls.length > 3) return;
      ackedAtFailure.push(source.acked.length);
      throw new UnavailableError('the database is away');
    };
    await recordBatch(source, items(5));
    expect(ackedAtFailure).toEqual([0, 0, 0]);
    expect(recorder.recorded).toHaveLength(5);
    expect(source.acked).toHaveLength(5);
    expect(source.requeued).toEqual([]);
    expect(await counted(metrics.recordFailures)).toEqual({ poison: 0, transient: 3 });
  });

  it('hands everything back when it stops while the database is away', async () => {
    const { recorder, source, recordBatch, stopping } = setUp();
    let attempts = 0;
    recorder.before = () => {
      attempts += 1;
      throw new UnavailableError('the database is away');
    };
    const batch = [...items(3), message({ v: 1 })];
    const recording = recordBatch(source, batch);
    await vi.waitFor(() => expect(attempts).toBeGreaterThan(1));
    expect(source.requeued).toEqual([]);
    stopping.abort();
    await recording;
    expect(source.acked).toEqual([]);
    expect(new Set(source.requeued)).toEqual(new Set(batch));
  });

  it('records one by one what was redelivered over 3 times, after the others', async () => {
    const { recorder, source, recordBatch } = setUp();
    await recordBatch(source, [delivery('a', 4), delivery('b', 3), delivery('c', 9), delivery('d')]);
    expect(recorder.calls).toEqual([['b', 'd'], ['a'], ['c']]);
    expect(source.acked).toHaveLength(4);
  });

  it('suspects the rows only after an unknown error has come several times', async () => {
    const { recorder, source, recordBatch } = setUp();
    let failures = 0;
    recorder.before = (entries) => {
      const isBad = entries.some((entry) => !('reason' in entry) && entry.interaction.itemId === 'odd');
      if (!isBad) return;
      failures += 1;
      throw new TypeError('nobody foresaw this');
    };
    await recordBatch(source, [delivery('odd'), delivery('good')]);
    expect(failures).toBe(8);
    expect(recorder.recorded).toEqual(['good']);
    expect(recorder.rejected.map(({ reason, detail }) => [reason, detail])).toEqual([
      ['RECORD_FAILED', 'nobody foresaw this'],
    ]);
    expect(source.acked).toHaveLength(2);
  });
});
