import { setTimeout as delay } from 'node:timers/promises';
import { createCpuMeter } from './cpu-meter.ts';
import type { LoadedSystem, Samples } from './loaded-system.ts';

export interface Snapshot {
  /** Since the epoch, in seconds. */
  readonly at: number;
  readonly samples: Samples;
  /** By part, since the first snapshot. */
  readonly cpuSeconds: ReadonlyMap<string, number>;
}

const EVERY_MS = 5_000;

/** Scrapes the system's metrics and reads its CPU every 5 s, first and last included, until `signal`. */
export async function watchSystem(system: LoadedSystem, signal: AbortSignal): Promise<Snapshot[]> {
  const meter = createCpuMeter(() => system.processes());
  const snapshots: Snapshot[] = [];
  const take = async (): Promise<void> => {
    snapshots.push({ at: Date.now() / 1_000, samples: await system.samples(), cpuSeconds: meter.read() });
  };
  await take();
  while (!signal.aborted) {
    await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    await take();
  }
  return snapshots;
}
