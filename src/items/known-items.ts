import { LRUCache } from 'lru-cache';
import { withDeadline } from '../runtime/deadline.ts';
import { DeadlineError, UnavailableError } from '../runtime/errors.ts';
import type { CatalogueFollower } from './catalogue-follower.ts';
import type { ItemStore } from './item-store.ts';

/** Which items exist and are visible, as far as this process saw: what writes are checked against. */
export interface KnownItems {
  /** True for an item seen before; false says nothing. */
  has(itemId: string): boolean;
  /**
   * Which of these are visible, asked of the primary: one call for everything asked within a turn of the event loop.
   * Misses are not remembered. All of them while Postgres is away or hangs: then the worker decides.
   */
  lookUp(itemIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Whether Postgres hung a moment ago. */
  hangs(): boolean;
}

interface Batch {
  readonly ids: Set<string>;
  readonly result: Promise<ReadonlySet<string>>;
}

const MAX_KNOWN = 200_000;
/** A frozen Postgres would hold the writer for ever. */
const LOOK_UP_DEADLINE_MS = 750;
/** So long nobody waits for a Postgres that hung. */
const HUNG_MS = 1_000;

export function createKnownItems(options: {
  readonly items: Pick<ItemStore, 'known'>;
  readonly follower: Pick<CatalogueFollower, 'hidden' | 'isHidden' | 'onFollow'>;
}): KnownItems {
  const { items, follower } = options;
  // By size: `max` would set aside room for all of them at the start.
  const known = new LRUCache<string, true>({ maxSize: MAX_KNOWN, sizeCalculation: () => 1 });
  let batch: Batch | undefined;
  let hungUntilMs = -Infinity;

  follower.onFollow(({ gap }) => {
    if (gap) known.clear();
    else for (const id of follower.hidden()) known.delete(id);
  });

  function openBatch(): Batch {
    const ids = new Set<string>();
    const result = new Promise<void>((resolve) => void setImmediate(resolve)).then(() => {
      batch = undefined;
      return ask([...ids]);
    });
    return { ids, result };
  }

  const hangs = (): boolean => performance.now() < hungUntilMs;

  async function ask(ids: readonly string[]): Promise<ReadonlySet<string>> {
    if (hangs()) return new Set(ids);
    try {
      const visible = await withDeadline(items.known(ids), LOOK_UP_DEADLINE_MS, 'Postgres');
      for (const id of visible) known.set(id, true);
      return visible;
    } catch (error) {
      if (error instanceof DeadlineError) hungUntilMs = performance.now() + HUNG_MS;
      if (error instanceof UnavailableError) return new Set(ids);
      throw error;
    }
  }

  return {
    // A lookup under way while its item is hidden may put it back until the next look at the changes.
    has: (itemId) => known.get(itemId) !== undefined && !follower.isHidden(itemId),
    lookUp(itemIds) {
      batch ??= openBatch();
      for (const id of itemIds) batch.ids.add(id);
      return batch.result;
    },
    hangs,
  };
}
