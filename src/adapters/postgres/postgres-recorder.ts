import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { occurredAtMs } from '../../interactions/interaction-id.ts';
import { isReactionType, type Interaction } from '../../interactions/interaction.ts';
import { senderOf } from '../../interactions/message.ts';
import {
  PoisonBatchError,
  type InteractionRecorder,
  type RecordEntry,
  type RecordResult,
  type RejectedEntry,
} from '../../interactions/recorder.ts';
import { UnavailableError } from '../../runtime/errors.ts';
import { firstMinuteOfDay } from './decay-anchors.ts';
import { isFaultOfRows, isMissingPartition, isUniqueViolation, sqlState } from './postgres-errors.ts';
import { PLAN_KEPT } from './named-statements.ts';
import { plainArray, quoted } from './plain-array.ts';
import { createPartitions, oldestMinute } from './postgres-partitions.ts';
import type { Database, Queryable } from './prisma-database.ts';
import {
  dropUnfoundedReactionsSql,
  erasedSql,
  lockReactionsSql,
  recordBatchSql,
  type KeyedEntry,
  type RecordBatchOptions,
  type RecordedRow,
} from './record-batch-sql.ts';
import { Prisma } from '../generated/prisma/client.ts';

/** An id from further ahead than any clock error explains would make partitions without end. */
const MAX_AHEAD_MS = 24 * 60 * 60 * 1_000;
/** Keys of items never change and items are never deleted. About 100 bytes each. */
const CACHED_ITEM_KEYS = 500_000;
/** Ids that came again; about 150 bytes each. */
const CACHED_KNOWN_IDS = 10_000;
/** In a batch; more are found by the insert. */
const MAX_LOOKED_UP = 100;
/**
 * What was recorded before comes in runs: after a crash, or from a file that was imported already. Met unexpectedly, it makes a batch
 * twice and Postgres log an error; expected, it makes each batch a tenth dearer.
 */
const EXPECTS_KNOWN_BATCHES = 20;

/**
 * Records into Postgres through Prisma. A batch is three statements at most, whatever its size; items not met before, new
 * months, reused ids and rejections add their own.
 */
export function createPostgresRecorder(database: Database, now: () => number = Date.now): InteractionRecorder {
  // By size: `max` would set aside room for all of them at the start, which takes 0.2 s.
  const itemKeys = new LRUCache<string, bigint>({ maxSize: CACHED_ITEM_KEYS, sizeCalculation: () => 1 });
  const partitions = createPartitions(database);
  // One client that sends an id over and over would have every batch look for conflicts.
  const knownIds = new LRUCache<string, true>({ maxSize: CACHED_KNOWN_IDS, sizeCalculation: () => 1 });
  let expectsKnown = 0;

  async function lookUpItems(tx: Queryable, batch: readonly RecordEntry[]): Promise<void> {
    const missing = new Set<string>();
    for (const { interaction } of batch) if (!itemKeys.has(interaction.itemId)) missing.add(interaction.itemId);
    if (missing.size === 0) return;
    const found = await tx.$queryRaw<{ id: string; key: bigint }[]>`
      SELECT ${PLAN_KEPT} id, key FROM items WHERE id = ANY(${[...missing]}::text[])`;
    for (const { id, key } of found) itemKeys.set(id, key);
  }

  async function key(
    tx: Queryable,
    entries: readonly RecordEntry[],
  ): Promise<{ keyed: KeyedEntry[]; unknown: RejectedEntry[] }> {
    await lookUpItems(tx, entries);
    const keyed: KeyedEntry[] = [];
    const unknown: RejectedEntry[] = [];
    for (const entry of entries) {
      const itemKey = itemKeys.get(entry.interaction.itemId);
      if (itemKey === undefined) unknown.push(rejection(entry, 'ITEM_NOT_FOUND', entry.interaction.itemId));
      else keyed.push({ entry, itemKey });
    }
    return { keyed, unknown };
  }

  async function record(batch: readonly RecordEntry[], before: readonly RejectedEntry[]): Promise<RecordResult> {
    const sifted = sift(batch, now());
    await partitions.ensureFor(sifted.entries.map(({ interaction }) => occurredAtMs(interaction.id)));
    const outboxSeqs = [...batch, ...before].flatMap(({ outboxSeq }) => outboxSeq ?? []);

    const attempt = async (mayBeKnown: boolean): Promise<RecordResult> =>
      database.transaction(async (tx) => {
        const { keyed, unknown } = await key(tx, sifted.entries);
        const taken = await takeFromOutbox(tx, outboxSeqs);
        const isOurs = ({ outboxSeq }: Pick<RecordEntry, 'outboxSeq'>): boolean =>
          outboxSeq === null || taken.has(outboxSeq);
        const ours = keyed.filter(({ entry }) => isOurs(entry));
        const again = await findRecorded(tx, pick(ours, knownIds).slice(0, MAX_LOOKED_UP));
        const recordable = ours.filter(({ entry }) => !again.ids.has(entry.interaction.id));
        // Also for an empty batch: what is rejected beside it must not slip past an erasure.
        await tx.$executeRaw(lockReactionsSql(recordable));
        const foreseen = [...before, ...sifted.contradicting, ...unknown]
          .filter(isOurs)
          .concat(rejectReused(ours, again.reused));
        // Before the rollups, whose rows other workers wait for; what only the insert finds is kept after it.
        await keepRejected(tx, foreseen);
        const row = await recordRows(tx, recordable, {
          oldestMinute: oldestMinute(now()),
          today: firstMinuteOfDay(now()),
          mayBeKnown,
        });
        const known = [...row.repeated, ...row.reused, ...row.unseen];
        expectsKnown = known.length > 0 ? EXPECTS_KNOWN_BATCHES : Math.max(0, expectsKnown - 1);
        for (const id of [...known, ...again.ids]) knownIds.set(id, true);
        // Another transaction has recorded these meanwhile: only a statement of its own sees for whom.
        const meanwhile = await findRecorded(tx, pick(recordable, new Set(row.unseen)));
        const reusedIds = [...row.reused, ...meanwhile.reused];
        await dropUnfounded(tx, pick(recordable, new Set([...row.discarded, ...reusedIds])));
        const reused = rejectReused(recordable, reusedIds);
        await keepRejected(tx, reused);
        const rejected = [...foreseen, ...reused];
        const effective = row.fresh + row.discarded.length + again.reused.length + reused.length;
        return {
          recorded: row.fresh,
          duplicates: ours.length - effective + sifted.repeating.filter(isOurs).length,
          discarded: pick(recordable, new Set(row.discarded)).map(({ entry }) => entry.interaction),
          rejected,
          skipped: outboxSeqs.length - taken.size,
        };
      });
    try {
      return await attempt(expectsKnown > 0);
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      return attempt(true);
    }
  }

  return {
    async record(batch, before = []) {
      try {
        return await record(batch, before);
      } catch (error) {
        if (error instanceof UnavailableError) throw error;
        if (isMissingPartition(error)) {
          partitions.forget();
          throw new UnavailableError('a month was dropped meanwhile', error);
        }
        if (isFaultOfRows(error)) throw new PoisonBatchError(error);
        // Any other answer of Postgres is about the schema or our rights; what is left is for the caller to judge.
        throw sqlState(error) === undefined ? error : new UnavailableError('Postgres refuses to record', error);
      }
    },

    async reject(entries) {
      const outboxSeqs = entries.flatMap(({ outboxSeq }) => outboxSeq ?? []);
      await database.transaction(async (tx) => {
        const taken = await takeFromOutbox(tx, outboxSeqs);
        await tx.$executeRaw(lockReactionsSql([]));
        await keepRejected(
          tx,
          entries.filter(({ outboxSeq }) => outboxSeq === null || taken.has(outboxSeq)),
        );
      });
    },
  };
}

interface Sifted {
  readonly entries: RecordEntry[];
  readonly repeating: RecordEntry[];
  readonly contradicting: RejectedEntry[];
}

/** The first of equal ids goes on, or the latest of those that say the same; what contradicts it is rejected. */
function sift(batch: readonly RecordEntry[], nowMs: number): Sifted {
  const first = new Map<string, RecordEntry>();
  const repeating: RecordEntry[] = [];
  const contradicting: RejectedEntry[] = [];
  const latestMs = nowMs + MAX_AHEAD_MS;
  for (const entry of batch) {
    const known = first.get(entry.interaction.id);
    if (known !== undefined) {
      if (isSame(known.interaction, entry.interaction)) {
        // Of a person who was erased in between, it is the later one that is recorded.
        const isLater = entry.interaction.acceptedAtMs > known.interaction.acceptedAtMs;
        if (isLater) first.set(entry.interaction.id, entry);
        repeating.push(isLater ? known : entry);
      } else contradicting.push(rejection(entry, 'ID_REUSED', 'in the same batch'));
    } else if (occurredAtMs(entry.interaction.id) > latestMs) {
      contradicting.push(rejection(entry, 'INVALID_MESSAGE', 'happens over a day from now'));
    } else {
      first.set(entry.interaction.id, entry);
    }
  }
  return { entries: [...first.values()], repeating, contradicting };
}

function isSame(a: Interaction, b: Interaction): boolean {
  return a.viewer === b.viewer && a.itemId === b.itemId && a.type === b.type && a.retraction === b.retraction;
}

function rejection(entry: RecordEntry, reason: RejectedEntry['reason'], detail: string): RejectedEntry {
  return { body: entry.body, outboxSeq: entry.outboxSeq, reason, detail, interaction: entry.interaction };
}

/** The rows now are this transaction's to settle; those that another worker holds or has settled are not among them. */
async function takeFromOutbox(tx: Queryable, seqs: readonly bigint[]): Promise<ReadonlySet<bigint>> {
  if (seqs.length === 0) return new Set();
  const rows = await tx.$queryRaw<{ seq: bigint }[]>`
    DELETE FROM outbox WHERE seq IN (
      SELECT seq FROM outbox WHERE seq = ANY(${seqs}::bigint[]) ORDER BY seq FOR UPDATE SKIP LOCKED
    ) RETURNING seq`;
  return new Set(rows.map(({ seq }) => seq));
}

async function recordRows(
  tx: Queryable,
  batch: readonly KeyedEntry[],
  options: RecordBatchOptions,
): Promise<RecordedRow> {
  if (batch.length === 0) return { fresh: 0, discarded: [], repeated: [], reused: [], unseen: [] };
  const [row] = await tx.$queryRaw<RecordedRow[]>(recordBatchSql(batch, options));
  if (row === undefined) throw new Error('recording gave no row');
  return row;
}

async function dropUnfounded(tx: Queryable, batch: readonly KeyedEntry[]): Promise<void> {
  const reactions = batch.filter(({ entry }) => isReactionType(entry.interaction.type));
  if (reactions.length > 0) await tx.$executeRaw(dropUnfoundedReactionsSql(reactions));
}

function rejectReused(batch: readonly KeyedEntry[], ids: readonly string[]): RejectedEntry[] {
  return pick(batch, new Set(ids)).map(({ entry }) =>
    rejection(entry, 'ID_REUSED', 'recorded before with another viewer, item or type'),
  );
}

function pick(
  batch: readonly KeyedEntry[],
  ids: { readonly size: number; has(id: string): boolean },
): readonly KeyedEntry[] {
  return ids.size === 0 ? [] : batch.filter(({ entry }) => ids.has(entry.interaction.id));
}

interface RecordedBefore {
  readonly ids: ReadonlySet<string>;
  /** Those of them that are recorded for somebody or something else. */
  readonly reused: readonly string[];
}

async function findRecorded(tx: Queryable, batch: readonly KeyedEntry[]): Promise<RecordedBefore> {
  if (batch.length === 0) return { ids: new Set(), reused: [] };
  const rows = batch.map(({ entry }) => entry.interaction);
  const found = await tx.$queryRaw<{ id: string; same: boolean }[]>(Prisma.sql`
    SELECT input.id::text,
      (i.viewer, i.item_key, i.type, i.retraction) = (input.viewer, input.item_key, input.type, input.retraction) AS same
    FROM unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => row.viewer)}::uuid[],
      ${batch.map(({ itemKey }) => itemKey)}::bigint[],
      ${rows.map((row) => row.type)}::interaction_type[],
      ${rows.map((row) => row.retraction)}::boolean[]
    ) AS input (id, viewer, item_key, type, retraction)
    -- So that no plan reads whole months.
    CROSS JOIN LATERAL (SELECT * FROM interactions WHERE id = input.id LIMIT 1) AS i`);
  return { ids: new Set(found.map(({ id }) => id)), reused: found.filter(({ same }) => !same).map(({ id }) => id) };
}

/** Once per body: a message that comes again after a crash is not kept twice; nothing of a person erased since they sent it. */
async function keepRejected(tx: Queryable, entries: readonly RejectedEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const senders = entries.map(({ interaction, body }) => interaction ?? senderOf(body));
  await tx.$executeRaw`
    INSERT INTO rejected (body_hash, body, interaction_id, viewer, reason, detail)
    SELECT ${PLAN_KEPT} decode(hash, 'hex'), decode(body, 'base64'), interaction_id, viewer, reason, detail
    FROM unnest(
      ${plainArray(entries.map(({ body }) => hash('sha256', body, 'hex')))}::text[],
      ${plainArray(entries.map(({ body }) => quoted(Buffer.from(body).toString('base64'))))}::text[],
      ${plainArray(entries.map(({ interaction }) => interaction?.id ?? 'NULL'))}::uuid[],
      ${plainArray(senders.map((sender) => sender?.viewer ?? 'NULL'))}::uuid[],
      ${plainArray(entries.map(({ reason }) => reason))}::rejection_reason[],
      ${plainArray(entries.map(({ detail }) => quoted(detail.replaceAll('\0', '').toWellFormed().slice(0, 1_000))))}::text[],
      ${plainArray(senders.map((sender) => sender?.acceptedAtMs ?? 'NULL'))}::float8[]
    ) AS input (hash, body, interaction_id, viewer, reason, detail, accepted_at)
    WHERE NOT ${erasedSql(Prisma.sql`input.viewer`, Prisma.sql`input.accepted_at`)}
    ORDER BY hash
    ON CONFLICT (body_hash) DO NOTHING`;
}
