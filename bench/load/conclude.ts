import { inspect } from 'node:util';
import type { SystemOutcome } from './outcome.ts';

export interface Conclusion {
  readonly exitCode: 0 | 1;
  /** A line for each promise that was not kept, and for a peer that was asked for and could not be measured. */
  readonly faults: readonly string[];
}

/** Promises are ours: a peer's verdicts are shown, and miss nothing. `peerFault`: null if there was none. */
export function conclude(ours: Pick<SystemOutcome, 'verdicts'>, peerFault: unknown): Conclusion {
  const faults = ours.verdicts
    .filter(({ isMet }) => !isMet)
    .map(({ what, value, bar }) => `MISSED: ${what}: ${value} (${bar})`);
  if (peerFault !== null) faults.push(`the guide's stack could not be measured: ${inspect(peerFault)}`);
  return { exitCode: faults.length === 0 ? 0 : 1, faults };
}
