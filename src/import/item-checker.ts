import { copyOf } from './copy-of.ts';
import type { ItemStore } from '../items/item-store.ts';

/** Items are never deleted, so a known one stays known; bounded for catalogues of millions. */
const REMEMBERED_IDS = 500_000;

export interface ItemChecker {
  /** Which of these cannot be recorded for: hidden ones and, unless they are to be made, unknown ones. */
  refusedOf(itemIds: readonly string[]): Promise<ReadonlySet<string>>;
}

export function createItemChecker(
  store: Pick<ItemStore, 'known' | 'hidden' | 'createMissing'>,
  options: { readonly createItems: boolean; readonly checkOnly: boolean; readonly alsoKnown: ReadonlySet<string> },
): ItemChecker {
  const remembered = new Set<string>();
  const isMade = (id: string): boolean => options.createItems || options.alsoKnown.has(id);

  async function notKnown(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return [];
    const known = await store.known(ids);
    return ids.filter((id) => !known.has(id));
  }

  async function hidden(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return ids.length === 0 ? new Set() : store.hidden(ids);
  }

  return {
    async refusedOf(itemIds) {
      const ids = [...new Set(itemIds)].filter((id) => !remembered.has(id));
      if (ids.length === 0) return new Set();
      if (options.createItems && !options.checkOnly) {
        await store.createMissing(
          ids.map((id) => ({ id, title: id, category: null, url: null, imageUrl: null, attributes: null })),
        );
      }
      const refused = new Set([
        ...(await hidden(ids.filter(isMade))),
        ...(await notKnown(ids.filter((id) => !isMade(id)))),
      ]);
      if (remembered.size > REMEMBERED_IDS) remembered.clear();
      for (const id of ids) if (!refused.has(id)) remembered.add(copyOf(id));
      return refused;
    },
  };
}
