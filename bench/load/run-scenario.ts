import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { compareLedger, type LedgerVerdict } from './compare-ledger.ts';
import { sumOf } from './cpu-meter.ts';
import { readLedger } from './ledger.ts';
import type { LoadedSystem } from './loaded-system.ts';
import type { LoadOptions } from './options.ts';
import { probeFreshness, type Probed } from './probe.ts';
import { runLocust } from './run-locust.ts';
import { kindOf, readTimeline, totals, type Second, type Timeline, type Totals } from './timeline.ts';
import { untilRecorded } from './until-recorded.ts';
import { watchSystem, type Snapshot } from './watch-system.ts';

export interface Scenario {
  readonly timeline: Timeline;
  /** With every user there: what percentiles and rates are of. */
  readonly steady: readonly Second[];
  readonly all: Totals;
  readonly reads: Totals;
  readonly writes: Totals;
  readonly ledger: LedgerVerdict;
  /** Where counts differ from a recount. */
  readonly miscounts: readonly string[];
  readonly probed: Probed;
  /** Where the system's database or metrics tell. */
  readonly recordedAfterSeconds: number | null;
  /** What was still waiting when the users left took so long. */
  readonly drainSeconds: number;
  readonly snapshots: readonly Snapshot[];
  /** Locust says that it was short of CPU: then the times hold its own delays. */
  readonly wasLocustShort: boolean;
  /** Of the whole stack, draining included. */
  readonly cpuSeconds: number;
}

/** The users, the probe and the watch at once; then, when all is recorded, the reckoning. */
export async function runScenario(
  system: LoadedSystem,
  name: string,
  { users, seconds, spawnRate, locustWorkers }: LoadOptions,
  files: { readonly folder: string; readonly config: string },
): Promise<Scenario> {
  const output = join(files.folder, name);
  mkdirSync(output);
  const [watched, probing] = [new AbortController(), new AbortController()];
  const watching = watchSystem(system, watched.signal);
  const rampSeconds = Math.ceil(users / spawnRate);
  const probe = probeFreshness(system.probe, rampSeconds + seconds, probing.signal);
  const { log } = await runLocust({
    url: system.url,
    locustfile: system.locustfile,
    users,
    spawnRate,
    seconds: rampSeconds + seconds,
    workers: locustWorkers,
    output,
    config: files.config,
  }).finally(() => probing.abort());
  const probed = await probe;

  const ledger = readLedger(output);
  for (const entry of probed.entries) ledger.set(entry.id, entry);
  const accepted = [...ledger.values()].filter(({ outcome }) => outcome === 'accepted').length;
  const drained = await untilRecorded(() => system.countRecorded(), accepted);
  // What nobody was told of may still be on its way.
  await delay(1_000);
  watched.abort();
  const snapshots = await watching;

  const timeline = readTimeline(output);
  if (timeline.seconds.length === 0) throw new Error(`Locust sent nothing; see ${output}`);
  const [first] = timeline.seconds;
  const steadyFrom = (first?.at ?? 0) + rampSeconds + 1;
  const steady = timeline.seconds.filter(({ at }) => at >= steadyFrom && at < steadyFrom + seconds);
  return {
    timeline,
    steady,
    all: totals(timeline.seconds),
    reads: totals(steady, (request) => kindOf(request) === 'read'),
    writes: totals(steady, (request) => kindOf(request) === 'write'),
    ledger: compareLedger(ledger, await system.recorded(), (viewer) => system.viewerOf(viewer)),
    miscounts: await system.recount(),
    probed,
    recordedAfterSeconds: await system.recordedAfterSeconds(),
    drainSeconds: drained.seconds,
    snapshots,
    wasLocustShort: /CPU usage (was too high|above|threshold was)/.test(log),
    cpuSeconds: sumOf(snapshots.at(-1)?.cpuSeconds ?? new Map()),
  };
}
