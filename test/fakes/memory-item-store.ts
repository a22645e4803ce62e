import type { Item, ItemInput } from '../../src/items/item.ts';
import type { ItemStore } from '../../src/items/item-store.ts';

export interface MemoryItemStore extends ItemStore {
  /** Calls of each method so far. */
  readonly calls: { find: string[][]; known: string[][]; changes: number };
  /** Of each call of `find`. */
  readonly points: (string | null)[];
  /** As when a ranking changes. */
  bumpGeneration(): void;
  /** What `find` shows although it is hidden: a lagging replica. */
  lagging: boolean;
  /** Every method rejects with this while it is set. */
  fault: Error | null;
}

export function createMemoryItemStore(items: readonly (Partial<ItemInput> & { id: string })[] = []): MemoryItemStore {
  const rows = new Map<string, Item>();
  const hiddenIds = new Set<string>();
  let generation = 1n;

  function put(input: Partial<ItemInput> & { id: string }): Item {
    const createdAt = rows.get(input.id)?.createdAt ?? new Date('2026-01-01T00:00:00.000Z');
    const item: Item = {
      title: `Title of ${input.id}`,
      category: null,
      url: null,
      imageUrl: null,
      attributes: null,
      ...input,
      createdAt,
    };
    rows.set(item.id, item);
    return item;
  }
  for (const item of items) put(item);

  function answer<T>(give: () => T): Promise<T> {
    return store.fault === null ? Promise.resolve(give()) : Promise.reject(store.fault);
  }

  const store: MemoryItemStore = {
    calls: { find: [], known: [], changes: 0 },
    points: [],
    lagging: false,
    fault: null,
    bumpGeneration() {
      generation += 1n;
    },
    find: (ids, point) =>
      answer(() => {
        store.calls.find.push([...ids]);
        store.points.push(point);
        return ids.flatMap((id) => (hiddenIds.has(id) && !store.lagging ? [] : (rows.get(id) ?? [])));
      }),
    known: (ids) =>
      answer(() => {
        store.calls.known.push([...ids]);
        return new Set(ids.filter((id) => rows.has(id) && !hiddenIds.has(id)));
      }),
    hidden: (ids) => answer(() => new Set(ids.filter((id) => hiddenIds.has(id)))),
    upsert: (inputs) => answer(() => [...new Map(inputs.map((input) => [input.id, input])).values()].map(put)),
    createMissing: (inputs) =>
      answer(() => {
        const before = rows.size;
        for (const input of inputs) if (!rows.has(input.id)) put(input);
        return rows.size - before;
      }),
    isEmpty: () => answer(() => rows.size === 0),
    hide: (ids, hidden) =>
      answer(() => {
        const existing = ids.filter((id) => rows.has(id));
        for (const id of existing) {
          if (hidden) hiddenIds.add(id);
          else hiddenIds.delete(id);
        }
        generation += 1n;
        return existing;
      }),
    changes: () =>
      answer(() => {
        store.calls.changes += 1;
        return { generation, recentlyHidden: [...hiddenIds] };
      }),
  };
  return store;
}
