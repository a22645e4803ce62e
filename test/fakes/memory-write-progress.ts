import type { SettledWrite, WriteProgress, WriteProgressReader } from '../../src/interactions/write-progress.ts';

export interface MemoryWriteProgress extends WriteProgressReader {
  settled: SettledWrite[];
  waiting: WriteProgress['waiting'];
  fault: Error | null;
  /** The ids of each look. */
  readonly looks: string[][];
}

/** Its points count the looks. */
export function createMemoryWriteProgress(): MemoryWriteProgress {
  const progress: MemoryWriteProgress = {
    settled: [],
    waiting: null,
    fault: null,
    looks: [],
    async look(ids) {
      progress.looks.push([...ids]);
      if (progress.fault !== null) throw progress.fault;
      const settled = progress.settled.filter(({ id }) => ids.includes(id));
      return { settled, waiting: progress.waiting, point: `0/${progress.looks.length}` };
    },
  };
  return progress;
}
