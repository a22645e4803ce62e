import type { ReadPoint } from '../runtime/read-point.ts';
import type { Item, ItemInput } from './item.ts';

/** What changed in the catalogue that caches must not outlive. */
export interface CatalogueChanges {
  /** Grows with every hide, unhide, and change of a ranking. */
  readonly generation: bigint;
  /** Hidden within the last minutes: a lagging replica may still show these. */
  readonly recentlyHidden: readonly string[];
}

export interface ItemStore {
  /** In any order, hidden ones left out. From a replica; given a point, from one that is past it. */
  find(ids: readonly string[], point: ReadPoint | null): Promise<Item[]>;
  /** Which of these exist and are visible. From the primary. */
  known(ids: readonly string[]): Promise<Set<string>>;
  /** Which of these exist and are hidden. From the primary. */
  hidden(ids: readonly string[]): Promise<Set<string>>;
  /** Inserts or replaces; the last of equal ids wins. Returned as stored, in the order of the input. */
  upsert(items: readonly ItemInput[]): Promise<Item[]>;
  /** Inserts those whose id is new and leaves the others, hidden ones too, as they are; how many were new. */
  createMissing(items: readonly ItemInput[]): Promise<number>;
  /** Sets or clears `hidden`; gives the ids that exist. */
  hide(ids: readonly string[], hidden: boolean): Promise<string[]>;
  /** Whether nobody has put an item in yet, hidden ones included. */
  isEmpty(): Promise<boolean>;
  /** From the primary; cheap enough to be asked four times a second by every process. */
  changes(): Promise<CatalogueChanges>;
}
