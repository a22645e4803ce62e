export interface LoopGate {
  /** Whether this one may come in: the open share of all that ask, evenly spread. */
  admits(): boolean;
  /** 1: all may. */
  openShare(): number;
  /** How late the event loop ran in a window, and how many requests asked to come in. */
  update(window: { readonly lagMs: number; readonly arrivals: number }): void;
}

const MIN_SHARE = 0.02;
/** One late window may be a garbage collection or one heavy request; refusing helps only against what lasts. */
const LATE_WINDOWS = 2;
/** With fewer in a window it is not they who keep the loop busy. */
const MIN_ARRIVALS = 20;
/** From the least share to all within 30 windows. */
const REOPENING = 1.15;
/** A lag that shrinks by this is worked off: refusing still more would leave the loop idle afterwards (88 % of its work done, not 99). */
const SHRINKING = 0.95;

/** Lets in less, in proportion, while the event loop runs late; more again, step by step, once it does not. */
export function createLoopGate({ maxLagMs }: { readonly maxLagMs: number }): LoopGate {
  let share = 1;
  let credit = 0;
  let lateWindows = 0;
  let lagBeforeMs = 0;
  return {
    admits() {
      if (share === 1) return true;
      credit += share;
      if (credit < 1) return false;
      credit -= 1;
      return true;
    },
    openShare: () => share,
    update({ lagMs, arrivals }) {
      const isShrinking = lagMs < lagBeforeMs * SHRINKING;
      lagBeforeMs = lagMs;
      if (lagMs <= maxLagMs || arrivals < MIN_ARRIVALS) {
        lateWindows = 0;
        share = Math.min(1, share * REOPENING);
        return;
      }
      lateWindows += 1;
      if (lateWindows < LATE_WINDOWS || isShrinking) return;
      share = Math.max(MIN_SHARE, share * Math.max(0.5, maxLagMs / lagMs));
    },
  };
}
