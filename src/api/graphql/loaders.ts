import DataLoader from 'dataloader';
import type { CountsByType } from '../../interactions/interaction-reader.ts';
import type { ReactionType } from '../../interactions/interaction.ts';
import type { KnownInteraction } from '../../interactions/viewer-history.ts';
import type { Item } from '../../items/item.ts';
import type { PopularityWindow } from '../../popularity/ranking.ts';
import type { ReadPoint } from '../../runtime/read-point.ts';
import type { RequestContext } from '../request-context.ts';
import type { Freshness, UseCases } from './context.ts';

export interface CountsKey {
  readonly itemId: string;
  readonly window: PopularityWindow;
  readonly asOf: Date;
  readonly point: ReadPoint | null;
}

/** One SQL statement per kind of entity, however many of them a query names. */
export interface Loaders {
  /** Null when unknown or hidden. */
  readonly item: DataLoader<string, Item | null>;
  readonly counts: DataLoader<CountsKey, CountsByType, string>;
  /** Null unless it is the viewer's own, or an admin asks. */
  readonly interaction: DataLoader<string, KnownInteraction | null>;
  /** What stands of the viewer's reactions to an item. */
  readonly reactions: DataLoader<string, readonly ReactionType[]>;
}

const NO_COUNTS: CountsByType = new Map();

export function createLoaders(
  { catalogue, popularItems, history }: Pick<UseCases, 'catalogue' | 'popularItems' | 'history'>,
  { identity, patience }: Pick<RequestContext, 'identity' | 'patience'>,
  freshness: Freshness,
): Loaders {
  async function loadItems(ids: readonly string[]): Promise<(Item | null)[]> {
    patience.check();
    const { items, ttlMs } = await catalogue.find(ids, freshness.point());
    freshness.limit(ttlMs);
    return ids.map((id) => items.get(id) ?? null);
  }

  async function loadCounts(keys: readonly CountsKey[]): Promise<CountsByType[]> {
    patience.check();
    const groups = new Map<string, CountsKey[]>();
    for (const key of keys) {
      const name = groupOf(key);
      groups.set(name, [...(groups.get(name) ?? []), key]);
    }
    const loaded = new Map<string, ReadonlyMap<string, CountsByType>>();
    await Promise.all(
      [...groups].map(async ([name, group]) => {
        const [first] = group;
        if (first === undefined) return;
        const itemIds = group.map((key) => key.itemId);
        const { counts, ttlMs } = await popularItems.counts(itemIds, first.window, first.asOf, first.point);
        freshness.limit(ttlMs);
        loaded.set(name, counts);
      }),
    );
    return keys.map((key) => loaded.get(groupOf(key))?.get(key.itemId) ?? NO_COUNTS);
  }

  async function loadReactions(itemIds: readonly string[]): Promise<(readonly ReactionType[])[]> {
    if (identity.key === null) return itemIds.map(() => []);
    patience.check();
    const byItem = await history.reactionsTo(identity.key, itemIds);
    return itemIds.map((id) => byItem.get(id) ?? []);
  }

  async function loadInteractions(ids: readonly string[]): Promise<(KnownInteraction | null)[]> {
    const { isAdmin, key } = identity;
    if (!isAdmin && key === null) return ids.map(() => null);
    patience.check();
    return history.find(ids, isAdmin ? null : key);
  }

  return {
    item: new DataLoader(loadItems),
    counts: new DataLoader(loadCounts, { cacheKeyFn: (key) => `${groupOf(key)}:${key.itemId}` }),
    interaction: new DataLoader(loadInteractions),
    reactions: new DataLoader(loadReactions),
  };
}

function groupOf({ window, asOf, point }: CountsKey): string {
  return `${window}:${asOf.getTime()}:${point ?? ''}`;
}
