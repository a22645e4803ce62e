import { setTimeout as wait } from 'node:timers/promises';
import type { PartWatcher } from './part-gauges.ts';
import { lookAtProcess } from './process-watcher.ts';
import { renderSnapshot } from './render.ts';
import { sawSomething, snapshotBetween, type Look, type Snapshot } from './snapshot.ts';
import type { TopArguments } from './top-arguments.ts';

/** Where it is shown. */
export interface TopScreen {
  /** Redrawn in place; else each look is printed below the last one. */
  readonly live: boolean;
  columns(): number;
  rows(): number;
  write(text: string): void;
}

export interface TopOptions extends TopArguments {
  /** The metrics ports of the processes it looks at. */
  readonly origins: readonly string[];
  readonly parts: PartWatcher;
  readonly screen: TopScreen;
  /** Leaves. */
  readonly signal: AbortSignal;
}

const HOME = '\u001B[H';
const CLEAR_LINE = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';

/** Looks again and again until the signal, or twice. Resolves to false when the last look found nothing at all. */
export async function runTop(options: TopOptions): Promise<boolean> {
  const { once, signal, intervalMs } = options;
  let before = await look(options);
  for (;;) {
    // Two looks that the machine's load brought close together would make rates of nothing.
    await wait(intervalMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return true;
    const after = await look(options);
    if (signal.aborted) return true;
    const snapshot = snapshotBetween(before, after);
    show(snapshot, options);
    if (once) return sawSomething(snapshot);
    before = after;
  }
}

async function look({ origins, parts }: TopOptions): Promise<Look> {
  const atMs = Date.now();
  const [processes, partGauges] = await Promise.all([
    Promise.all(origins.map(async (origin) => [origin, await lookAtProcess(origin)] as const)),
    parts.look(),
  ]);
  return { atMs, processes: new Map(processes), parts: partGauges };
}

function show(snapshot: Snapshot, { json, screen }: TopOptions): void {
  if (json) return screen.write(`${JSON.stringify(snapshot)}\n`);
  if (!screen.live) return screen.write(`${renderSnapshot(snapshot, { colour: false, columns: 0 }).join('\n')}\n\n`);
  const lines = renderSnapshot(snapshot, { colour: true, columns: screen.columns() });
  // The last row stays empty: writing into its end would scroll.
  const fitting = [...lines, '', 'q leaves'].slice(0, Math.max(1, screen.rows() - 1));
  screen.write(`${HOME}${fitting.map((line) => `${line}${CLEAR_LINE}`).join('\n')}\n${CLEAR_BELOW}`);
}
