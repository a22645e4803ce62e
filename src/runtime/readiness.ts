import { withDeadline } from './deadline.ts';

/** One part of a process that can be asked whether it works. */
export interface ReadinessCheck {
  readonly name: string;
  readonly required: boolean;
  /** Null when well, else what is wrong, in words for an operator. */
  check(): Promise<string | null>;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly draining: boolean;
  readonly parts: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly ready: boolean;
    readonly problem: string | null;
  }[];
}

export interface Readiness {
  report(): Promise<ReadinessReport>;
  /** From now on the process is not ready, so that proxies send nothing new. */
  beginDraining(): void;
}

/** Asks every part at once, each for at most `deadlineMs`. Callers within `holdMs` share one answer: the probe is public. */
export function createReadiness(options: {
  readonly checks: readonly ReadinessCheck[];
  readonly deadlineMs?: number;
  readonly holdMs?: number;
}): Readiness {
  const { checks, deadlineMs = 2_000, holdMs = 500 } = options;
  let draining = false;
  let parts: Promise<ReadinessReport['parts']> | null = null;
  let askedAt = -Infinity;

  async function ask(part: ReadinessCheck) {
    const { name, required } = part;
    const problem = await withDeadline(part.check(), deadlineMs, name).catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    );
    return { name, required, ready: problem === null, problem };
  }

  return {
    async report() {
      if (parts === null || performance.now() - askedAt > holdMs) {
        askedAt = performance.now();
        parts = Promise.all(checks.map(ask));
      }
      const known = await parts;
      return { ready: !draining && known.every((part) => part.ready || !part.required), draining, parts: known };
    },
    beginDraining() {
      draining = true;
    },
  };
}
