import { withDeadline } from './deadline.ts';
import { messageOf } from './errors.ts';

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

export interface ReadinessOptions {
  readonly checks: readonly ReadinessCheck[];
  readonly deadlineMs?: number;
  /** A look that began so recently is the answer, and is not taken again. */
  readonly holdMs?: number;
  /** One that began so recently is the answer too when all was well, while the next is taken behind it. */
  readonly freshMs?: number;
}

/**
 * Asks every part at once, each for at most `deadlineMs`. Callers share one look, for the probe is public; and no prober
 * waits for parts that answer slowly, under a load that they stand, longer than it takes to tell what they last said.
 */
export function createReadiness(options: ReadinessOptions): Readiness {
  const { checks, deadlineMs = 2_000, holdMs = 500, freshMs = 2_000 } = options;
  let draining = false;
  let last: { readonly parts: ReadinessReport['parts']; readonly askedAtMs: number } | null = null;
  let looking: Promise<ReadinessReport['parts']> | null = null;

  async function ask(part: ReadinessCheck) {
    const { name, required } = part;
    const problem = await withDeadline(part.check(), deadlineMs, name).catch(messageOf);
    return { name, required, ready: problem === null, problem };
  }

  async function look(): Promise<ReadinessReport['parts']> {
    const askedAtMs = performance.now();
    const parts = await Promise.all(checks.map(ask));
    last = { parts, askedAtMs };
    looking = null;
    return parts;
  }

  function known(): ReadinessReport['parts'] | Promise<ReadinessReport['parts']> {
    // Parts come while a process starts.
    const ageMs = last === null || last.parts.length !== checks.length ? Infinity : performance.now() - last.askedAtMs;
    if (last !== null && ageMs <= holdMs) return last.parts;
    looking ??= look();
    // What was wrong a moment ago may be well by now, and who waits for that asks again and again.
    return last !== null && ageMs <= freshMs && last.parts.every(({ ready }) => ready) ? last.parts : looking;
  }

  return {
    async report() {
      const parts = await known();
      return { ready: !draining && parts.every((part) => part.ready || !part.required), draining, parts };
    },
    beginDraining() {
      draining = true;
    },
  };
}
