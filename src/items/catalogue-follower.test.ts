import { describe, expect, it, vi } from 'vitest';
import { createMemoryItemStore } from '../../test/fakes/memory-item-store.ts';
import { UnavailableError } from '../runtime/errors.ts';
import { createLogger } from '../runtime/logger.ts';
import { createCatalogueFollower, type FollowedChange } from './catalogue-follower.ts';

const logger = createLogger('silent', 'test');

describe('the catalogue follower', () => {
  it('sees a hidden item at its next look', async () => {
    const items = createMemoryItemStore([{ id: 'a' }]);
    const follower = createCatalogueFollower({ items, intervalMs: 5, logger });
    await follower.start();
    try {
      const before = follower.generation();
      await items.hide(['a'], true);
      await vi.waitFor(() => expect(follower.isHidden('a')).toBe(true), { timeout: 5_000, interval: 5 });
      expect(follower.generation()).not.toBe(before);
    } finally {
      await follower.stop();
    }
  });

  it('starts while Postgres is away and follows once it is back', async () => {
    const items = createMemoryItemStore([{ id: 'a' }]);
    items.fault = new UnavailableError('away');
    await items.hide(['a'], true).catch(() => undefined);
    const follower = createCatalogueFollower({ items, intervalMs: 5, logger });
    await follower.start();
    try {
      items.fault = null;
      await items.hide(['a'], true);
      await vi.waitFor(() => expect(follower.isHidden('a')).toBe(true), { timeout: 5_000, interval: 5 });
    } finally {
      await follower.stop();
    }
  });

  it('looks no more once stopped', async () => {
    const items = createMemoryItemStore();
    const follower = createCatalogueFollower({ items, intervalMs: 1, logger });
    await follower.start();
    await vi.waitFor(() => expect(items.calls.changes).toBeGreaterThan(2), { timeout: 5_000, interval: 2 });
    await follower.stop();
    const { changes } = items.calls;
    const again = createCatalogueFollower({ items: createMemoryItemStore(), intervalMs: 1, logger });
    await again.start();
    await again.stop();
    expect(items.calls.changes).toBe(changes);
  });

  it('tells its listeners what changed, and of the gap before the first look', async () => {
    const items = createMemoryItemStore();
    const follower = createCatalogueFollower({ items, intervalMs: 1_000, logger });
    const seen: FollowedChange[] = [];
    follower.onFollow((change) => void seen.push(change));
    await follower.follow();
    await follower.follow();
    items.bumpGeneration();
    await follower.follow();
    expect(seen).toEqual([
      { changed: true, gap: true },
      { changed: false, gap: false },
      { changed: true, gap: false },
    ]);
  });
});
