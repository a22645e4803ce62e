import { setTimeout as delay } from 'node:timers/promises';
import { PublicError } from '../runtime/errors.ts';
import type { ReadPoint } from '../runtime/read-point.ts';
import { occurredAtMs, parseInteractionId } from './interaction-id.ts';
import { MAX_AHEAD_MS } from './parse-interaction.ts';
import type { ViewerKey } from './viewer-key.ts';
import type { SettledWrite, WriteProgress, WriteProgressReader } from './write-progress.ts';

export interface IncludedWrites {
  /**
   * Resolves when all of the viewer's interactions with these ids are recorded and in the standings, to a point that
   * reads have to be past to include them.
   * @throws PublicError BAD_USER_INPUT, INTERACTION_REJECTED, NOT_YET_RECORDED, SERVICE_BUSY; UnavailableError
   */
  settle(viewer: ViewerKey, ids: readonly string[]): Promise<ReadPoint>;
}

export interface IncludedWritesOptions {
  readonly progress: WriteProgressReader;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly onRefused: () => void;
  readonly maxWaitMs?: number;
  readonly pollMs?: number;
  /** That wait at a time. */
  readonly maxWaiting?: number;
  /** Of them, of one viewer. */
  readonly maxWaitingPerViewer?: number;
}

interface Waiter {
  readonly viewer: ViewerKey;
  /** Neither seen recorded nor rejected yet. */
  readonly left: Set<string>;
  /** The standings have to take in all changes up to this number. */
  upTo: bigint | null;
  resolve(point: ReadPoint): void;
  reject(error: unknown): void;
}

const MAX_IDS = 10;

/** One look at a time for all who wait in this process: what they cost the primary does not grow with their number. */
export function createIncludedWrites(options: IncludedWritesOptions): IncludedWrites {
  const { progress, clock, onRefused, maxWaitMs = 2_000, pollMs = 25 } = options;
  const { maxWaiting = 500, maxWaitingPerViewer = 20 } = options;
  const waiters = new Set<Waiter>();
  let isLooking = false;

  async function look(): Promise<void> {
    // Who comes during the look waits for the next one.
    const asking = [...waiters];
    try {
      const seen = await progress.look([...new Set(asking.flatMap(({ left }) => [...left]))]);
      const byId = new Map<string, SettledWrite[]>();
      for (const write of seen.settled) byId.set(write.id, [...(byId.get(write.id) ?? []), write]);
      for (const waiter of asking) judge(waiter, byId, seen);
    } catch (error) {
      for (const waiter of asking) waiter.reject(error);
    }
  }

  async function lookWhileWaited(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    while (waiters.size > 0) {
      await look();
      if (waiters.size > 0) await delay(pollMs);
    }
    isLooking = false;
  }

  return {
    async settle(viewer, rawIds) {
      const left = parseIds(rawIds, clock());
      const own = [...waiters].filter((waiter) => waiter.viewer === viewer).length;
      if (waiters.size >= maxWaiting || own >= maxWaitingPerViewer) {
        onRefused();
        throw new PublicError('SERVICE_BUSY', 'Too many wait for their writes here.', { retryAfterSeconds: 1 });
      }
      let waiter: Waiter | undefined;
      let timer: NodeJS.Timeout | undefined;
      try {
        return await new Promise<ReadPoint>((resolve, reject) => {
          waiter = { viewer, left, upTo: null, resolve, reject };
          waiters.add(waiter);
          timer = setTimeout(() => reject(notYetRecorded()), maxWaitMs);
          void lookWhileWaited();
        });
      } finally {
        clearTimeout(timer);
        if (waiter !== undefined) waiters.delete(waiter);
      }
    },
  };
}

function judge(waiter: Waiter, byId: ReadonlyMap<string, readonly SettledWrite[]>, seen: WriteProgress): void {
  const { viewer, left } = waiter;
  for (const id of left) {
    const found = byId.get(id) ?? [];
    const ours = found.filter((write) => write.viewer === viewer);
    if (ours.some((write) => write.rejectedReason === null)) {
      left.delete(id);
      // What it changed waits under one of these numbers, or is in the standings already.
      waiter.upTo = seen.waiting?.highest ?? waiter.upTo;
    } else if (ours.length > 0) {
      const reason = ours.map((write) => write.rejectedReason).join(', ');
      waiter.reject(new PublicError('INTERACTION_REJECTED', `The interaction ${id} was rejected: ${reason}.`));
    } else if (found.some((write) => write.rejectedReason === null)) {
      waiter.reject(badInput('`includes` takes the ids of your own interactions.'));
    }
  }
  const isIncluded = waiter.upTo === null || seen.waiting === null || seen.waiting.lowest > waiter.upTo;
  if (left.size === 0 && isIncluded) waiter.resolve(seen.point);
}

function parseIds(rawIds: readonly string[], nowMs: number): Set<string> {
  if (rawIds.length > MAX_IDS) throw badInput(`\`includes\` must be at most ${MAX_IDS} ids.`);
  const ids = new Set<string>();
  for (const raw of rawIds) {
    const id = parseInteractionId(raw);
    if (id === undefined) throw badInput('`includes` takes ids of interactions: each a UUIDv7.');
    // It would have been refused, so there is nothing to wait for.
    if (occurredAtMs(id) > nowMs + MAX_AHEAD_MS) throw badInput('`includes` has an id from the future.');
    ids.add(id);
  }
  return ids;
}

function notYetRecorded(): PublicError {
  const message = 'Not all of `includes` is recorded yet. Try again.';
  return new PublicError('NOT_YET_RECORDED', message, { retryAfterSeconds: 1 });
}

function badInput(message: string): PublicError {
  return new PublicError('BAD_USER_INPUT', message);
}
