import { occurredAtMs } from '../../interactions/interaction-id.ts';
import { isReactionType, type Interaction } from '../../interactions/interaction.ts';
import {
  PoisonBatchError,
  type InteractionRecorder,
  type RecordEntry,
  type RecordResult,
  type RejectedEntry,
} from '../../interactions/recorder.ts';
import { UnavailableError } from '../../runtime/errors.ts';
import { createBatchLookup, findRecorded } from './batch-lookup.ts';
import { firstMinuteOfDay } from './decay-anchors.ts';
import { isFaultOfRows, isMissingPartition, isUniqueViolation, sqlState } from './postgres-errors.ts';
import { keepRejectedSql } from './keep-rejected-sql.ts';
import { createPartitions, oldestMinute } from './postgres-partitions.ts';
import type { Database, Queryable } from './prisma-database.ts';
import {
  HOLD_RECORDING_SQL,
  dropUnfoundedReactionsSql,
  lockReactionsSql,
  recordBatchSql,
  type KeyedEntry,
  type RecordBatchOptions,
  type RecordedRow,
} from './record-batch-sql.ts';

/** An id from further ahead than any clock error explains would make partitions without end. */
const MAX_AHEAD_MS = 24 * 60 * 60 * 1_000;
/**
 * What was recorded before comes in runs: after a crash, or from a file that was imported already. Met unexpectedly, it makes a batch
 * twice and Postgres log an error; expected, it makes each batch a tenth dearer.
 */
const EXPECTS_KNOWN_BATCHES = 20;

/**
 * Records into Postgres through Prisma. A batch is three statements at most, whatever its size; one more looks up items not
 * met before and ids that come again, and new months and ids that are found to be reused add their own.
 */
export function createPostgresRecorder(database: Database, now: () => number = Date.now): InteractionRecorder {
  const lookup = createBatchLookup();
  const partitions = createPartitions(database);
  let expectsKnown = 0;

  async function record(batch: readonly RecordEntry[], before: readonly RejectedEntry[]): Promise<RecordResult> {
    const sifted = sift(batch, now());
    await partitions.ensureFor(sifted.entries.map(({ interaction }) => occurredAtMs(interaction.id)));
    const outboxSeqs = [...batch, ...before].flatMap(({ outboxSeq }) => outboxSeq ?? []);

    const attempt = async (mayBeKnown: boolean): Promise<RecordResult> =>
      database.transaction(async (tx) => {
        const { keyed, unknown, before: again, isHeld } = await lookup.find(tx, sifted.entries);
        const taken = await takeFromOutbox(tx, outboxSeqs);
        const isOurs = ({ outboxSeq }: Pick<RecordEntry, 'outboxSeq'>): boolean =>
          outboxSeq === null || taken.has(outboxSeq);
        const ours = keyed.filter(({ entry }) => isOurs(entry));
        const recordable = ours.filter(({ entry }) => !again.ids.has(entry.interaction.id));
        // Also for an empty batch: what is rejected beside it must not slip past an erasure.
        const lock = lockReactionsSql(recordable, isHeld);
        if (lock !== null) await tx.$executeRaw(lock);
        const reusedBefore = rejectReused(ours, again.reused);
        const foreseen = [...before, ...sifted.contradicting, ...unknown.map(rejectUnknown)]
          .filter(isOurs)
          .concat(reusedBefore);
        const row = await recordRows(tx, recordable, {
          oldestMinute: oldestMinute(now()),
          today: firstMinuteOfDay(now()),
          mayBeKnown,
          rejected: foreseen,
        });
        const known = [...row.repeated, ...row.reused, ...row.unseen];
        expectsKnown = known.length > 0 ? EXPECTS_KNOWN_BATCHES : Math.max(0, expectsKnown - 1);
        lookup.expect([...known, ...again.ids]);
        const reused = await settleFound(tx, recordable, row);
        const effective = row.fresh + row.discarded.length + reusedBefore.length + reused.length;
        return {
          recorded: row.fresh,
          duplicates: ours.length - effective + sifted.repeating.filter(isOurs).length,
          discarded: pick(recordable, new Set(row.discarded)).map(({ entry }) => entry.interaction),
          rejected: [...foreseen, ...reused],
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
        await tx.$executeRaw(HOLD_RECORDING_SQL);
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
  if (batch.length === 0) {
    await keepRejected(tx, options.rejected);
    return { fresh: 0, discarded: [], repeated: [], reused: [], unseen: [] };
  }
  const [row] = await tx.$queryRaw<RecordedRow[]>(recordBatchSql(batch, options));
  if (row === undefined) throw new Error('recording gave no row');
  return row;
}

/** Of what only the insert found: takes back the reactions made for it, and rejects the reused ids. */
async function settleFound(tx: Queryable, batch: readonly KeyedEntry[], row: RecordedRow): Promise<RejectedEntry[]> {
  // Another transaction has recorded these meanwhile: only a statement of its own sees for whom.
  const unseen = pick(batch, new Set(row.unseen)).map(({ entry }) => entry.interaction);
  const meanwhile = await findRecorded(tx, unseen);
  const reusedIds = new Set([...row.reused, ...meanwhile.reused]);
  await dropUnfounded(tx, pick(batch, new Set([...row.discarded, ...reusedIds])));
  const reused = rejectReused(batch, reusedIds);
  await keepRejected(tx, reused);
  return reused;
}

async function dropUnfounded(tx: Queryable, batch: readonly KeyedEntry[]): Promise<void> {
  const reactions = batch.filter(({ entry }) => isReactionType(entry.interaction.type));
  if (reactions.length > 0) await tx.$executeRaw(dropUnfoundedReactionsSql(reactions));
}

function rejectUnknown(entry: RecordEntry): RejectedEntry {
  return rejection(entry, 'ITEM_NOT_FOUND', entry.interaction.itemId);
}

function rejectReused(batch: readonly KeyedEntry[], ids: ReadonlySet<string>): RejectedEntry[] {
  return pick(batch, ids).map(({ entry }) =>
    rejection(entry, 'ID_REUSED', 'recorded before with another viewer, item or type'),
  );
}

function pick(batch: readonly KeyedEntry[], ids: ReadonlySet<string>): readonly KeyedEntry[] {
  return ids.size === 0 ? [] : batch.filter(({ entry }) => ids.has(entry.interaction.id));
}

async function keepRejected(tx: Queryable, entries: readonly RejectedEntry[]): Promise<void> {
  if (entries.length > 0) await tx.$executeRaw(keepRejectedSql(entries));
}
