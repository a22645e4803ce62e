import { expect, it } from 'vitest';
import { newInteractionId } from '../interactions/interaction-id.ts';
import { PoisonBatchError, type RecordEntry, type RecordResult } from '../interactions/recorder.ts';
import { viewerKeyOf } from '../interactions/viewer-key.ts';
import { UnavailableError } from '../runtime/errors.ts';
import { recordRows, type ImportedRow } from './record-rows.ts';

function rows(count: number): ImportedRow[] {
  return Array.from({ length: count }, (_, index) => ({
    line: index + 2,
    interaction: {
      id: newInteractionId(),
      itemId: `item-${index}`,
      viewer: viewerKeyOf({ userId: 'ann' }),
      type: 'VIEW',
      retraction: false,
      metadata: null,
      acceptedAtMs: 0,
    },
  }));
}

function recorder(record: (batch: readonly RecordEntry[]) => Partial<RecordResult>) {
  return {
    record: async (batch: readonly RecordEntry[]): Promise<RecordResult> => ({
      recorded: batch.length,
      duplicates: 0,
      discarded: [],
      rejected: [],
      skipped: 0,
      ...record(batch),
    }),
    reject: async () => undefined,
  };
}

it('rows that cannot be stored are found by halving and named; the others are recorded', async () => {
  const poison = new Set(['item-3', 'item-6']);
  const store = recorder((batch) => {
    if (batch.some(({ interaction }) => poison.has(interaction.itemId))) throw new PoisonBatchError('too big');
    return {};
  });
  const result = await recordRows(store, rows(8));
  expect(result.recorded).toBe(6);
  expect(result.bad).toEqual([
    { line: 5, fault: 'cannot be stored: too big' },
    { line: 8, fault: 'cannot be stored: too big' },
  ]);
});

it('what the recorder rejects is named by its line', async () => {
  const store = recorder((batch) => {
    const [, second] = batch;
    if (second === undefined) return {};
    return {
      recorded: 1,
      rejected: [
        { body: second.body, outboxSeq: null, reason: 'ID_REUSED', detail: 'twice', interaction: second.interaction },
      ],
    };
  });
  expect((await recordRows(store, rows(2))).bad).toEqual([{ line: 3, fault: 'ID_REUSED: twice' }]);
});

it('a Postgres that is away for a moment is waited for; one that stays away ends the import', async () => {
  let failures = 2;
  const flaky = recorder(() => {
    failures -= 1;
    if (failures >= 0) throw new UnavailableError('away');
    return {};
  });
  expect((await recordRows(flaky, rows(1), [1, 1])).recorded).toBe(1);
  const dead = recorder(() => {
    throw new UnavailableError('away');
  });
  await expect(recordRows(dead, rows(1), [1, 1])).rejects.toThrow('away');
});
