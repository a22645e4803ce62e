import {
  PoisonBatchError,
  type InteractionRecorder,
  type RecordEntry,
  type RejectedEntry,
} from '../../src/interactions/recorder.ts';

export interface MemoryRecorder extends InteractionRecorder {
  readonly recorded: string[];
  readonly rejected: RejectedEntry[];
  /** The item ids of each call to `record`. */
  readonly calls: string[][];
  /** Runs ahead of each record or reject; throws in place of the database. */
  before: (entries: readonly (RecordEntry | RejectedEntry)[]) => void | Promise<void>;
}

/** Batches that hold an item called `poison…` fail; `unknown…` is rejected, as an item that does not exist is; `erased…` is discarded. */
export function memoryRecorder(): MemoryRecorder {
  const recorder: MemoryRecorder = {
    recorded: [],
    rejected: [],
    calls: [],
    before: () => undefined,
    async record(batch, before = []) {
      const itemIds = batch.map((entry) => entry.interaction.itemId);
      recorder.calls.push(itemIds);
      await recorder.before(batch);
      if (itemIds.some((id) => id.startsWith('poison'))) throw new PoisonBatchError(new Error('bad row'));
      const rejected = batch
        .filter((entry) => entry.interaction.itemId.startsWith('unknown'))
        .map((entry): RejectedEntry => ({ ...entry, reason: 'ITEM_NOT_FOUND', detail: '' }))
        .concat(before);
      recorder.rejected.push(...rejected);
      const discarded = batch.map((entry) => entry.interaction).filter(({ itemId }) => itemId.startsWith('erased'));
      const good = itemIds.filter((id) => !/^(unknown|erased)/.test(id));
      recorder.recorded.push(...good);
      return { recorded: good.length, duplicates: 0, discarded, rejected, skipped: 0 };
    },
    async reject(entries) {
      await recorder.before(entries);
      recorder.rejected.push(...entries);
    },
  };
  return recorder;
}
