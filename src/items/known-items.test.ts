import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createMemoryItemStore, type MemoryItemStore } from '../../test/fakes/memory-item-store.ts';
import { UnavailableError } from '../runtime/errors.ts';
import { createLogger } from '../runtime/logger.ts';
import { createCatalogueFollower, type CatalogueFollower } from './catalogue-follower.ts';
import { createKnownItems, type KnownItems } from './known-items.ts';

let items: MemoryItemStore;
let follower: CatalogueFollower;
let known: KnownItems;

beforeEach(() => {
  items = createMemoryItemStore([{ id: 'a' }, { id: 'b' }]);
  follower = createCatalogueFollower({ items, intervalMs: 1_000, logger: createLogger('silent', 'test') });
  known = createKnownItems({ items, follower });
});

describe('known items', () => {
  it('asks the store in one call for what concurrent requests want', async () => {
    const [first, second] = await Promise.all([known.lookUp(['a']), known.lookUp(['b', 'x'])]);
    expect(first.has('a')).toBe(true);
    expect(second.has('b')).toBe(true);
    expect(second.has('x')).toBe(false);
    expect(items.calls.known).toEqual([['a', 'b', 'x']]);
  });

  it('remembers hits and forgets misses', async () => {
    await known.lookUp(['a', 'x']);
    expect(known.has('a')).toBe(true);
    expect(known.has('x')).toBe(false);
    await items.upsert([{ id: 'x', title: 'X', category: null, url: null, imageUrl: null, attributes: null }]);
    expect((await known.lookUp(['x'])).has('x')).toBe(true);
  });

  it('drops an item that is hidden for good, not only while that is news', async () => {
    await known.lookUp(['a']);
    await items.hide(['a'], true);
    await follower.follow();
    expect(known.has('a')).toBe(false);
    items.changes = async () => ({ generation: 9n, recentlyHidden: [] });
    await follower.follow();
    expect(known.has('a')).toBe(false);
    expect((await known.lookUp(['a'])).has('a')).toBe(false);
  });

  it('takes every id for known while Postgres is away, without remembering it', async () => {
    items.fault = new UnavailableError('away');
    expect((await known.lookUp(['x'])).has('x')).toBe(true);
    expect(known.has('x')).toBe(false);
  });

  it('takes every id for known when Postgres hangs, and lets nobody wait for it again until a second has passed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      let asked = 0;
      items.known = () => {
        asked += 1;
        return new Promise(() => undefined);
      };
      const hung = known.lookUp(['x']);
      await vi.waitFor(() => expect(asked).toBe(1));
      vi.advanceTimersByTime(750);
      expect((await hung).has('x')).toBe(true);
      expect((await known.lookUp(['x', 'y'])).has('y')).toBe(true);
      expect(asked).toBe(1);

      items.known = () => Promise.resolve(new Set(['a']));
      vi.advanceTimersByTime(1_000);
      expect((await known.lookUp(['a', 'x'])).has('x')).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it('passes other faults on', async () => {
    items.fault = new Error('a defect');
    await expect(known.lookUp(['x'])).rejects.toThrow('a defect');
  });
});
