/** One a probe, so of the last minute. */
const MAX_SAMPLES = 120;

/** Where the end of the primary's log was, and when at the latest. Positions are bytes from the start of the log. */
export interface PrimaryTrail {
  add(position: number, atMs: number): void;
  /** For how long at least the primary has had something that a server replayed up to `position` has not: 0 where none is known. */
  behindMs(position: number, nowMs: number): number;
}

/** A replica cannot tell what it did not receive: a silent link looks to it like an idle primary. */
export function createPrimaryTrail(): PrimaryTrail {
  let samples: { readonly position: number; readonly atMs: number }[] = [];
  return {
    add(position, atMs) {
      // Another primary, which never had the end of the last one's log.
      if (position < (samples.at(-1)?.position ?? 0)) samples = [];
      samples.push({ position, atMs });
      if (samples.length > MAX_SAMPLES) samples.shift();
    },
    behindMs(position, nowMs) {
      const missed = samples.find((sample) => sample.position > position);
      return missed === undefined ? 0 : nowMs - missed.atMs;
    },
  };
}
