import { setImmediate as turn } from 'node:timers/promises';
import { derivedInteractionId } from '../interactions/interaction-id.ts';
import type { InteractionRecorder } from '../interactions/recorder.ts';
import type { ItemStore } from '../items/item-store.ts';
import { ImportFileError } from './import-file-error.ts';
import { createItemChecker } from './item-checker.ts';
import { emptyTally, type ImportObserver, type ImportTally } from './import-report.ts';
import { createInteractionRowParser, type InteractionRow, type InteractionRowOptions } from './interaction-rows.ts';
import { createOccurrenceCounter, type OccurrenceCounter } from './occurrence-counter.ts';
import { cellReader, readTable } from './read-table.ts';
import { recordRows, type ImportedRow } from './record-rows.ts';

const BATCH_ROWS = 2_500;
/** One batch in Postgres, one on its way: parsing goes on meanwhile. More only wait for each other's rollup rows. */
const BATCHES_IN_FLIGHT = 2;
/** A transaction whose answers wait until a whole batch is parsed keeps its locks, and the other batch waits for them. */
const ROWS_PER_TURN = 100;

export interface InteractionImport extends InteractionRowOptions {
  readonly path: string;
  /** Items that are not known get their id as title. */
  readonly createItems: boolean;
  /** Reads and checks everything, records nothing. */
  readonly checkOnly: boolean;
  /** Ids that count as known though they are not stored yet. */
  readonly alsoKnown: ReadonlySet<string>;
  readonly signal: AbortSignal;
}

export interface ImportPorts {
  readonly recorder: InteractionRecorder;
  readonly items: Pick<ItemStore, 'known' | 'hidden' | 'createMissing'>;
}

/**
 * Streams a file of interactions into the recorder. Ids are derived from the rows, so a second import changes nothing.
 * @throws ImportFileError before the first row; UnavailableError: what was recorded until then stays
 */
export async function importInteractions(
  ports: ImportPorts,
  options: InteractionImport,
  observer: ImportObserver,
): Promise<ImportTally> {
  const table = await readTable(options.path);
  const parse = createInteractionRowParser(table, options);
  const conditions = options.where.map(({ column, matches }) => ({ read: cellReader(table, column), matches }));
  const occurrences = createOccurrenceCounter();
  const items = createItemChecker(ports.items, options);
  const tally = emptyTally();

  function onBadRow(line: number, fault: string): void {
    tally.bad += 1;
    observer.onBadRow(line, fault);
  }

  async function settle(batch: readonly ImportedRow[]): Promise<void> {
    const refused = await items.refusedOf(batch.map(({ interaction }) => interaction.itemId));
    const good = batch.filter(({ interaction }) => !refused.has(interaction.itemId));
    const fault = options.createItems ? 'is hidden' : 'is unknown or hidden (--create-items makes unknown ones)';
    for (const { line, interaction } of batch) {
      if (refused.has(interaction.itemId)) onBadRow(line, `item ${JSON.stringify(interaction.itemId)} ${fault}`);
    }
    if (options.checkOnly || good.length === 0) return;
    const result = await recordRows(ports.recorder, good);
    tally.recorded += result.recorded;
    tally.known += result.duplicates;
    tally.discarded += result.discarded;
    for (const { line, fault } of result.bad) onBadRow(line, fault);
  }

  const pipeline = createPipeline(settle, BATCHES_IN_FLIGHT);
  let batch: ImportedRow[] = [];
  try {
    for await (const rows of table.rows) {
      for (const row of rows) {
        tally.rows += 1;
        if (tally.rows % ROWS_PER_TURN === 0) await turn();
        if (row.kind === 'fault') {
          onBadRow(row.line, row.fault);
          continue;
        }
        if (!conditions.every(({ read, matches }) => matches(read(row)))) {
          tally.leftOut += 1;
          continue;
        }
        const parsed = parse(row);
        if (typeof parsed === 'string') {
          onBadRow(row.line, parsed);
          continue;
        }
        batch.push({ line: row.line, interaction: toInteraction(parsed, occurrences, options.nowMs) });
        if (batch.length >= BATCH_ROWS) {
          await pipeline.add(batch);
          batch = [];
        }
      }
      observer.onProgress({ rows: tally.rows, bytesRead: table.bytesRead(), sizeBytes: table.sizeBytes });
      if (options.signal.aborted) break;
    }
  } catch (error) {
    if (!(error instanceof ImportFileError)) throw error;
    tally.damaged = error.message;
  }
  // What was read before the file turned out damaged is as good as any.
  await pipeline.add(batch);
  await pipeline.drain();
  return tally;
}

function toInteraction(row: InteractionRow, occurrences: OccurrenceCounter, nowMs: number): ImportedRow['interaction'] {
  const { itemId, viewer, type, metadata } = row;
  return {
    id: row.id ?? deriveId(row, occurrences),
    itemId,
    viewer,
    type,
    retraction: false,
    metadata,
    acceptedAtMs: nowMs,
  };
}

/** From what the row says and, of rows that say the same, which one it is. */
function deriveId({ viewer, type, atMs, itemId }: InteractionRow, occurrences: OccurrenceCounter): string {
  const id = derivedInteractionId(atMs, `1 ${viewer} ${type} ${atMs} ${itemId}`);
  // 52 random bits of the id.
  const occurrence = occurrences.next(Number.parseInt(id.slice(22, 23) + id.slice(24), 16) + 1);
  return occurrence === 1 ? id : derivedInteractionId(atMs, `${occurrence} ${viewer} ${type} ${atMs} ${itemId}`);
}

/** At most `limit` at work; the first failure stops what follows. */
function createPipeline<T>(work: (input: T) => Promise<void>, limit: number) {
  const atWork = new Set<Promise<void>>();
  const failures: unknown[] = [];

  function throwFailure(): void {
    if (failures.length > 0) throw failures[0];
  }

  return {
    async add(input: T): Promise<void> {
      while (atWork.size >= limit) await Promise.race(atWork);
      if (failures.length > 0) await Promise.all(atWork);
      throwFailure();
      const run: Promise<void> = work(input)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => atWork.delete(run));
      atWork.add(run);
    },
    async drain(): Promise<void> {
      await Promise.all(atWork);
      throwFailure();
    },
  };
}
