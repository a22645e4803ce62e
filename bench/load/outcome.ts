import type { Verdict } from './judge.ts';
import type { LoadOptions } from './options.ts';
import type { Scenario } from './run-scenario.ts';
import type { Saturation } from './saturate.ts';

/** What came of one system. */
export interface SystemOutcome {
  readonly title: string;
  readonly scenario: Scenario;
  readonly verdicts: readonly Verdict[];
  /** Null where it was not asked for. */
  readonly saturation: Saturation | null;
}

export interface LoadOutcome {
  readonly options: LoadOptions;
  readonly at: Date;
  readonly machine: string;
  /** What else the machine had to do: its load average before anything was started. */
  readonly loadBefore: number;
  /** Ours first, then the peer if there was one. */
  readonly systems: readonly SystemOutcome[];
}
