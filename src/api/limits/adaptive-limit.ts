/** What was seen of the requests in one stretch of time. */
export interface LatencyWindow {
  /** Of those that ended in it; null when none did. */
  readonly medianMs: number | null;
  /** The most that were at work at once. */
  readonly peakInFlight: number;
}

export interface AdaptiveLimit {
  /** Requests that may be at work at once. */
  limit(): number;
  update(window: LatencyWindow): void;
}

export interface AdaptiveLimitOptions {
  readonly min: number;
  readonly max: number;
}

/** How much slower than usual requests may get before fewer are let in. */
const TOLERANCE = 2;
/**
 * What is usual, at least and at most. Faster requests wait for nothing worth acting on; a baseline that follows a lasting
 * overload without end would call it usual, and let ever more in.
 */
const MIN_USUAL_MS = 50;
const MAX_USUAL_MS = 125;
/** The baseline follows over so many windows. */
const BASELINE_WINDOWS = 300;
/** At most this share goes in one window. */
const MAX_CUT = 0.25;

/**
 * After Gradient2 of Netflix's concurrency-limits (https://github.com/Netflix/concurrency-limits): the limit is cut by the
 * ratio of the usual latency to the present one, and grows by its square root while that ratio is within the tolerance. It
 * compares medians, since one slow kind of request among many says nothing of load. It starts at the top, and
 * stays as it is while less than half of it is used.
 */
export function createAdaptiveLimit({ min, max }: AdaptiveLimitOptions): AdaptiveLimit {
  let limit = max;
  let usualMs = MIN_USUAL_MS;
  return {
    limit: () => Math.floor(limit),
    update({ medianMs, peakInFlight }) {
      if (medianMs !== null) {
        const bounded = Math.min(MAX_USUAL_MS, Math.max(MIN_USUAL_MS, medianMs));
        usualMs += (bounded - usualMs) / BASELINE_WINDOWS;
      }
      if (peakInFlight < limit / 2) return;
      // None came to its end though many are at work: as slow as can be.
      const gradient = medianMs === null ? 0 : Math.min(1, (TOLERANCE * usualMs) / Math.max(medianMs, MIN_USUAL_MS));
      const next = gradient === 1 ? limit + Math.sqrt(limit) : limit * Math.max(1 - MAX_CUT, gradient);
      limit = Math.min(max, Math.max(min, next));
    },
  };
}
