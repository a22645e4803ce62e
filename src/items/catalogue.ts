import type { SwrCache } from '../cache/swr-cache.ts';
import type { ReadPoint } from '../runtime/read-point.ts';
import type { CatalogueFollower } from './catalogue-follower.ts';
import type { ItemStore } from './item-store.ts';
import { isItemId, type Item } from './item.ts';
import { parseItem, type RawItem } from './parse-item.ts';
import type { UserError } from './user-error.ts';

export interface FoundItems {
  /** Visible items by id. */
  readonly items: ReadonlyMap<string, Item>;
  /** For how long an answer built on them may be kept. */
  readonly ttlMs: number;
}

/** Reads and changes of items, without what was hidden lately; reads go through the data cache, but for those past a point. */
export interface Catalogue {
  find(ids: readonly string[], point: ReadPoint | null): Promise<FoundItems>;
  /** Stores those without faults; the items as stored, in the order given. */
  upsert(items: readonly RawItem[]): Promise<{ readonly items: Item[]; readonly userErrors: UserError[] }>;
  /** The ids that exist and are now hidden, or shown. This process follows before it resolves, others within a second. */
  hide(ids: readonly string[], hidden: boolean): Promise<{ readonly ids: string[]; readonly userErrors: UserError[] }>;
}

export interface CatalogueOptions {
  readonly items: ItemStore;
  readonly follower: CatalogueFollower;
  readonly cache: SwrCache<Item | null>;
}

export function createCatalogue({ items, follower, cache }: CatalogueOptions): Catalogue {
  const prefix = (): string => `${follower.generation()}:`;

  async function load(ids: readonly string[], point: ReadPoint | null): Promise<ReadonlyMap<string, Item>> {
    const found = await items.find(ids, point);
    return new Map(found.map((item) => [item.id, item]));
  }

  return {
    async find(ids, point) {
      const askable = ids.filter((id) => isItemId(id) && !follower.isHidden(id));
      const { values, ttlMs } =
        point === null
          ? await cache.getMany(prefix(), askable, (missing) => load(missing, null), null)
          : { values: await load(askable, point), ttlMs: 0 };
      const found = new Map<string, Item>();
      for (const [id, item] of values) if (item !== null && !follower.isHidden(id)) found.set(id, item);
      return { items: found, ttlMs };
    },

    async upsert(raw) {
      const userErrors: UserError[] = [];
      const inputs = raw.flatMap((item, index) => {
        const parsed = parseItem(item, ['items', String(index)]);
        if (parsed.ok) return [parsed.item];
        userErrors.push(...parsed.userErrors);
        return [];
      });
      const stored = inputs.length === 0 ? [] : await items.upsert(inputs);
      for (const { id } of stored) cache.delete(prefix() + id);
      return { items: stored, userErrors };
    },

    async hide(ids, hidden) {
      const existing = new Set(await items.hide([...new Set(ids)].filter(isItemId), hidden));
      await follower.follow();
      const userErrors = ids.flatMap((id, index): UserError[] =>
        existing.has(id)
          ? []
          : [{ code: 'ITEM_NOT_FOUND', field: ['ids', String(index)], message: 'There is no such item.' }],
      );
      return { ids: [...existing], userErrors };
    },
  };
}
