import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Item, ItemInput } from '../../src/items/item.ts';
import type { ItemStore } from '../../src/items/item-store.ts';

export interface ItemStoreUnderTest extends AsyncDisposable {
  readonly store: ItemStore;
}

/** What every ItemStore promises. `setup` gives one that nobody has put an item into. */
export function itemStoreContract(name: string, setup: () => Promise<ItemStoreUnderTest>): void {
  describe(`${name}, as an item store`, () => {
    let subject: ItemStoreUnderTest;
    let store: ItemStore;
    beforeAll(async () => {
      subject = await setup();
      store = subject.store;
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());

    it('is empty until somebody puts an item in, hidden or not', async () => {
      expect(await store.isEmpty()).toBe(true);
      await store.upsert([input('first')]);
      await store.hide(['first'], true);
      expect(await store.isEmpty()).toBe(false);
    });

    it('gives items back as stored, in the order they came, and keeps when each was made', async () => {
      const [full, bare] = [
        input('full', { category: 'é😀', url: 'https://a/', attributes: { n: [1, null] } }),
        input('bare'),
      ];
      const stored = await store.upsert([full, bare]);
      expect(stored.map(({ createdAt: _, ...item }) => item)).toEqual([full, bare]);
      expect(byId(await store.find(['bare', 'unheard', 'full'], null))).toEqual(byId(stored));
      const changed = { ...full, title: 'New', category: null, attributes: null };
      expect(await store.upsert([changed])).toEqual([{ ...changed, createdAt: stored[0]?.createdAt }]);
    });

    it('of equal ids in one call the last wins, and comes back once', async () => {
      const stored = await store.upsert([input('twice', { title: 'Old' }), input('once'), input('twice')]);
      expect(stored.map(({ id, title }) => `${id}: ${title}`)).toEqual([
        'twice: Title of twice',
        'once: Title of once',
      ]);
    });

    it('makes what is missing, once, and leaves the others as they are', async () => {
      await store.upsert([input('there'), input('hidden')]);
      await store.hide(['hidden'], true);
      const missing = ['there', 'hidden', 'missing', 'missing'].map((id) => input(id, { title: 'Made' }));
      expect(await store.createMissing(missing)).toBe(1);
      const found = await store.find(['there', 'hidden', 'missing'], null);
      expect(found.map(({ title }) => title).toSorted()).toEqual(['Made', 'Title of there']);
      expect(await store.createMissing([])).toBe(0);
    });

    it('a hidden item is neither found nor known, which caches are told, and it comes back', async () => {
      await store.upsert([input('gone'), input('stays')]);
      const ids = ['gone', 'stays', 'unheard'];
      const before = await store.changes();
      expect(await store.hide(['gone', 'unheard'], true)).toEqual(['gone']);
      expect((await store.find(ids, null)).map(({ id }) => id)).toEqual(['stays']);
      expect(await store.known(ids)).toEqual(new Set(['stays']));
      const during = await store.changes();
      expect(during.generation).toBeGreaterThan(before.generation);
      expect(during.recentlyHidden).toContain('gone');
      expect(await store.hide(['gone'], false)).toEqual(['gone']);
      expect(await store.known(ids)).toEqual(new Set(['gone', 'stays']));
      const after = await store.changes();
      expect(after.generation).toBeGreaterThan(during.generation);
      expect(after.recentlyHidden).not.toContain('gone');
    });

    it('asked for nothing it gives nothing', async () => {
      expect(await store.find([], null)).toEqual([]);
      expect(await store.known([])).toEqual(new Set());
      expect(await store.upsert([])).toEqual([]);
      expect(await store.hide([], true)).toEqual([]);
    });
  });
}

function input(id: string, more: Partial<ItemInput> = {}): ItemInput {
  return { id, title: `Title of ${id}`, category: null, url: null, imageUrl: null, attributes: null, ...more };
}

function byId(items: readonly Item[]): Item[] {
  return items.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
