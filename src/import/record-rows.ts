import { setTimeout as delay } from 'node:timers/promises';
import type { Interaction } from '../interactions/interaction.ts';
import { encodeMessage } from '../interactions/message.ts';
import {
  PoisonBatchError,
  type InteractionRecorder,
  type RecordEntry,
  type RecordResult,
} from '../interactions/recorder.ts';
import { UnavailableError } from '../runtime/errors.ts';

export interface ImportedRow {
  readonly line: number;
  readonly interaction: Interaction;
}

export interface RecordedRows {
  readonly recorded: number;
  readonly duplicates: number;
  readonly discarded: number;
  readonly bad: readonly { readonly line: number; readonly fault: string }[];
}

const RETRY_DELAYS_MS = [100, 300, 1_000, 3_000, 5_000, 10_000];

/**
 * Records the rows, again and again for about 20 s while Postgres is away. Rows that cannot be stored are found by
 * halving, and the others recorded. @throws UnavailableError
 */
export async function recordRows(
  recorder: InteractionRecorder,
  rows: readonly ImportedRow[],
  retryDelaysMs: readonly number[] = RETRY_DELAYS_MS,
): Promise<RecordedRows> {
  try {
    const result = await recordPatiently(recorder, rows.map(toEntry), retryDelaysMs);
    const { recorded, duplicates, discarded } = result;
    return { recorded, duplicates, discarded: discarded.length, bad: rejectedRows(rows, result) };
  } catch (error) {
    if (!(error instanceof PoisonBatchError)) throw error;
    const [only] = rows;
    if (only === undefined) throw error;
    if (rows.length === 1) {
      return {
        recorded: 0,
        duplicates: 0,
        discarded: 0,
        bad: [{ line: only.line, fault: `cannot be stored: ${error.message}` }],
      };
    }
    const middle = Math.ceil(rows.length / 2);
    const first = await recordRows(recorder, rows.slice(0, middle), retryDelaysMs);
    const second = await recordRows(recorder, rows.slice(middle), retryDelaysMs);
    return {
      recorded: first.recorded + second.recorded,
      duplicates: first.duplicates + second.duplicates,
      discarded: first.discarded + second.discarded,
      bad: [...first.bad, ...second.bad],
    };
  }
}

async function recordPatiently(
  recorder: InteractionRecorder,
  entries: readonly RecordEntry[],
  retryDelaysMs: readonly number[],
): Promise<RecordResult> {
  for (const delayMs of retryDelaysMs) {
    try {
      return await recorder.record(entries);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      await delay(delayMs);
    }
  }
  return recorder.record(entries);
}

function toEntry({ interaction }: ImportedRow): RecordEntry {
  return {
    interaction,
    outboxSeq: null,
    // Only a rejected one is ever asked for its message.
    get body() {
      return encodeMessage(interaction);
    },
  };
}

function rejectedRows(rows: readonly ImportedRow[], { rejected }: RecordResult): { line: number; fault: string }[] {
  if (rejected.length === 0) return [];
  const lines = new Map<Interaction, number>(rows.map(({ line, interaction }) => [interaction, line]));
  return rejected.map(({ interaction, reason, detail }) => ({
    line: (interaction === null ? undefined : lines.get(interaction)) ?? 0,
    fault: `${reason}: ${detail}`,
  }));
}
