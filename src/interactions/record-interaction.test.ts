import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createMemoryItemStore, type MemoryItemStore } from '../../test/fakes/memory-item-store.ts';
import { createMemoryQueue, type MemoryQueue } from '../../test/fakes/memory-queue.ts';
import { createMemoryPendingWrites } from '../adapters/memory-pending-writes.ts';
import { createCatalogueFollower } from '../items/catalogue-follower.ts';
import { createKnownItems } from '../items/known-items.ts';
import { UnavailableError } from '../runtime/errors.ts';
import { createLogger } from '../runtime/logger.ts';
import { newInteractionId } from './interaction-id.ts';
import type { RawInteraction } from './parse-interaction.ts';
import type { PendingWrites } from './pending-writes.ts';
import { createRecordInteraction, type RecordInteraction } from './record-interaction.ts';

const VIEWER = '00000000-0000-8000-8000-000000000001';

let items: MemoryItemStore;
let queue: MemoryQueue;
let pending: PendingWrites;
let recording: RecordInteraction;

beforeEach(() => {
  items = createMemoryItemStore([{ id: 'a' }, { id: 'b' }]);
  queue = createMemoryQueue();
  pending = createMemoryPendingWrites();
  const follower = createCatalogueFollower({ items, intervalMs: 1_000, logger: createLogger('silent', 'test') });
  const known = createKnownItems({ items, follower });
  recording = createRecordInteraction({ queue, pending, known, maxAgeDays: 30, clock: Date.now });
});

function raw(itemId: string, index = 0): RawInteraction {
  const path = ['inputs', String(index)];
  return {
    itemId,
    type: 'VIEW',
    retraction: false,
    id: null,
    occurredAt: null,
    metadata: null,
    idempotency: null,
    path,
  };
}

describe('record', () => {
  it('publishes what is accepted in one call, and shows it as pending', async () => {
    const results = await recording.record(VIEWER, [raw('a'), raw('b'), raw('a')]);
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true]);
    expect(queue.batches).toEqual([3]);
    expect(queue.published.map(({ itemId, viewer }) => [itemId, viewer])).toEqual([
      ['a', VIEWER],
      ['b', VIEWER],
      ['a', VIEWER],
    ]);
    expect(await pending.ofViewer(VIEWER)).toHaveLength(3);
  });

  it('lets each input fail alone', async () => {
    const results = await recording.record(VIEWER, [raw('a', 0), raw('nowhere', 1), raw('', 2), raw('b', 3)]);
    expect(results.map((result) => (result.ok ? 'ok' : result.userErrors))).toEqual([
      'ok',
      [expect.objectContaining({ code: 'ITEM_NOT_FOUND', field: ['inputs', '1', 'itemId'] })],
      [expect.objectContaining({ code: 'INVALID_ITEM_ID', field: ['inputs', '2', 'itemId'] })],
      'ok',
    ]);
    expect(queue.published.map(({ itemId }) => itemId)).toEqual(['a', 'b']);
  });

  it('asks for unknown items once, and for known ones never', async () => {
    await Promise.all([recording.record(VIEWER, [raw('a')]), recording.record(VIEWER, [raw('b'), raw('a')])]);
    await recording.record(VIEWER, [raw('a')]);
    expect(items.calls.known).toEqual([['a', 'b']]);
  });

  it('publishes nothing when nothing is accepted', async () => {
    await recording.record(VIEWER, [raw('nowhere')]);
    expect(queue.batches).toEqual([]);
  });

  it('accepts an unknown item while Postgres is away', async () => {
    items.fault = new UnavailableError('away');
    const [result] = await recording.record(VIEWER, [raw('nowhere')]);
    expect(result?.ok).toBe(true);
  });

  it('shows nothing of what the queue refused', async () => {
    queue.fault = new UnavailableError('away');
    await expect(recording.record(VIEWER, [raw('a')])).rejects.toThrow(UnavailableError);
    expect(await pending.ofViewer(VIEWER)).toEqual([]);
  });

  it('still shows what was accepted when the queue refuses to take it again', async () => {
    const accepted = { ...raw('a'), id: newInteractionId() };
    await recording.record(VIEWER, [accepted]);
    queue.fault = new UnavailableError('away');
    await expect(recording.record(VIEWER, [accepted, raw('b')])).rejects.toThrow(UnavailableError);
    expect((await pending.ofViewer(VIEWER)).map(({ itemId }) => itemId)).toEqual(['a']);
  });

  it('leaves the queue the rest of a second once it has waited for a Postgres that hangs', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      let asked = false;
      items.known = () => {
        asked = true;
        return new Promise(() => undefined);
      };
      const recorded = recording.record(VIEWER, [raw('a')], { withinMs: 10_000 });
      await vi.waitFor(() => expect(asked).toBe(true));
      vi.advanceTimersByTime(750);
      await recorded;
      expect(queue.withinMs).toBeLessThanOrEqual(200);
    } finally {
      vi.useRealTimers();
    }
  });

  it('accepts the same id twice in one request', async () => {
    const id = '019a0000-0000-7000-8000-000000000000';
    const occurred = { ...raw('a'), id };
    const old = createRecordInteraction({
      queue,
      pending,
      known: createKnownItems({
        items,
        follower: createCatalogueFollower({ items, intervalMs: 1_000, logger: createLogger('silent', 'test') }),
      }),
      maxAgeDays: 36_500,
      clock: Date.now,
    });
    const results = await old.record(VIEWER, [occurred, occurred]);
    expect(results.map(({ ok }) => ok)).toEqual([true, true]);
  });
});
