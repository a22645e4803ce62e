import { LRUCache } from 'lru-cache';
import type { Interaction } from '../../interactions/interaction.ts';
import type { RecordEntry } from '../../interactions/recorder.ts';
import { PLAN_KEPT } from './named-statements.ts';
import { plainArray, quoted } from './plain-array.ts';
import type { Queryable } from './prisma-database.ts';
import { HOLD_RECORDING_SQL, type KeyedEntry } from './record-batch-sql.ts';

/** Keys of items never change and items are never deleted. About 100 bytes each. */
const CACHED_ITEM_KEYS = 500_000;
/** Ids that came again; about 150 bytes each. */
const CACHED_KNOWN_IDS = 10_000;
/** In a batch; more are found by the insert. */
const MAX_LOOKED_UP = 100;

export interface RecordedBefore {
  readonly ids: ReadonlySet<string>;
  /** Those of them that are recorded for somebody or something else. */
  readonly reused: ReadonlySet<string>;
}

export interface LookedUp {
  readonly keyed: readonly KeyedEntry[];
  /** Of items that there are not. */
  readonly unknown: readonly RecordEntry[];
  readonly before: RecordedBefore;
  /** Whether the recording lock came with it. */
  readonly isHeld: boolean;
}

export interface BatchLookup {
  /** One statement at most, which takes the recording lock as well, and none while a batch brings only items met before and ids not met. */
  find(tx: Queryable, entries: readonly RecordEntry[]): Promise<LookedUp>;
  /** One client that sends an id over and over would have every batch look for conflicts: these are looked up first. */
  expect(ids: readonly string[]): void;
}

/** What is known of a batch before it is recorded: the keys of its items, and which of the ids that came again are recorded. */
export function createBatchLookup(cachedItemKeys = CACHED_ITEM_KEYS): BatchLookup {
  // By size: `max` would set aside room for all of them at the start, which takes 0.2 s.
  const itemKeys = new LRUCache<string, bigint>({ maxSize: cachedItemKeys, sizeCalculation: () => 1 });
  const knownIds = new LRUCache<string, true>({ maxSize: CACHED_KNOWN_IDS, sizeCalculation: () => 1 });

  return {
    async find(tx, entries) {
      // Held by this batch, for what the cache has it may lose at any time.
      const held = new Map<string, bigint>();
      const missing = new Set<string>();
      const suspects: Interaction[] = [];
      for (const { interaction } of entries) {
        const { itemId } = interaction;
        const key = held.get(itemId) ?? itemKeys.get(itemId);
        if (key === undefined) missing.add(itemId);
        else held.set(itemId, key);
        if (knownIds.has(interaction.id) && suspects.length < MAX_LOOKED_UP) suspects.push(interaction);
      }
      const { keys, before, isHeld } = await lookUp(tx, [...missing], suspects);
      for (const [id, key] of keys) {
        held.set(id, key);
        itemKeys.set(id, key);
      }
      const keyed: KeyedEntry[] = [];
      const unknown: RecordEntry[] = [];
      for (const entry of entries) {
        const itemKey = held.get(entry.interaction.itemId);
        if (itemKey === undefined) unknown.push(entry);
        else keyed.push({ entry, itemKey });
      }
      return { keyed, unknown, before, isHeld };
    },
    expect(ids) {
      for (const id of ids) knownIds.set(id, true);
    },
  };
}

export async function findRecorded(tx: Queryable, interactions: readonly Interaction[]): Promise<RecordedBefore> {
  return (await lookUp(tx, [], interactions)).before;
}

type Row =
  | { readonly itemId: string; readonly key: bigint; readonly recorded: null; readonly same: null }
  | { readonly itemId: null; readonly key: null; readonly recorded: string; readonly same: boolean }
  | { readonly itemId: null; readonly key: null; readonly recorded: null; readonly same: null };

async function lookUp(
  tx: Queryable,
  itemIds: readonly string[],
  interactions: readonly Interaction[],
): Promise<Pick<LookedUp, 'before' | 'isHeld'> & { keys: ReadonlyMap<string, bigint> }> {
  const keys = new Map<string, bigint>();
  const before = { ids: new Set<string>(), reused: new Set<string>() };
  if (itemIds.length === 0 && interactions.length === 0) return { keys, before, isHeld: false };
  const rows = await tx.$queryRaw<Row[]>`
    WITH held AS MATERIALIZED (${HOLD_RECORDING_SQL})
    SELECT ${PLAN_KEPT} id AS "itemId", key, NULL AS recorded, NULL::boolean AS same
    FROM items WHERE id = ANY(${plainArray(itemIds.map(quoted))}::text[])
    UNION ALL
    SELECT NULL, NULL, input.id::text,
      (i.viewer, i.type, i.retraction) = (input.viewer, input.type, input.retraction)
        AND (SELECT id FROM items WHERE key = i.item_key) = input.item_id
    FROM unnest(
      ${plainArray(interactions.map(({ id }) => id))}::uuid[],
      ${plainArray(interactions.map(({ viewer }) => viewer))}::uuid[],
      ${plainArray(interactions.map(({ itemId }) => quoted(itemId)))}::text[],
      ${plainArray(interactions.map(({ type }) => type))}::interaction_type[],
      ${plainArray(interactions.map(({ retraction }) => retraction))}::boolean[]
    ) AS input (id, viewer, item_id, type, retraction)
    -- So that no plan reads whole months.
    CROSS JOIN LATERAL (SELECT * FROM interactions WHERE id = input.id LIMIT 1) AS i
    UNION ALL SELECT NULL, NULL, NULL, NULL FROM held`;
  for (const row of rows) {
    if (row.itemId !== null) keys.set(row.itemId, row.key);
    if (row.recorded === null) continue;
    before.ids.add(row.recorded);
    if (!row.same) before.reused.add(row.recorded);
  }
  return { keys, before, isHeld: true };
}
