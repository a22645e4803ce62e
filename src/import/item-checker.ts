import type { ItemStore } from '../items/item-store.ts';

/** Items are never deleted, so a known one stays known; bounded for catalogues of millions. */
const REMEMBERED_IDS = 500_000;

export interface ItemChecker {
  /** Which of these interactions cannot be recorded for. */
  unknownOf(itemIds: readonly string[]): Promise<ReadonlySet<string>>;
}

export function createItemChecker(
  store: Pick<ItemStore, 'known' | 'createMissing'>,
  options: { readonly createItems: boolean; readonly checkOnly: boolean; readonly alsoKnown: ReadonlySet<string> },
): ItemChecker {
  const remembered = new Set<string>();
  return {
    async unknownOf(itemIds) {
      const ids = [...new Set(itemIds)].filter((id) => !remembered.has(id) && !options.alsoKnown.has(id));
      if (ids.length === 0) return new Set();
      let found: ReadonlySet<string> = new Set(ids);
      if (!options.createItems) {
        found = await store.known(ids);
      } else if (!options.checkOnly) {
        await store.createMissing(
          ids.map((id) => ({ id, title: id, category: null, url: null, imageUrl: null, attributes: null })),
        );
      }
      if (remembered.size > REMEMBERED_IDS) remembered.clear();
      for (const id of found) remembered.add(id);
      return new Set(ids.filter((id) => !found.has(id)));
    },
  };
}
