import { waitFor } from '../servers/wait-for.ts';
import type { Arena } from './row.ts';
import type { Exchange, Traffic } from './traffic.ts';

/** Whoever is under way when a row looks may take so much longer, then there is no answer. */
const PATIENCE_MS = 5_000;

/**
 * What came of the requests begun at `fromMs` or later, those that have no answer included. To be asked while the fault
 * lasts: what is held up until its end would look answered.
 */
export async function outcomesSince({ exchanges, open }: Traffic, fromMs: number): Promise<Exchange[]> {
  const untilMs = performance.now();
  const isMeant = ({ startedAtMs }: Pick<Exchange, 'startedAtMs'>): boolean =>
    startedAtMs >= fromMs && startedAtMs <= untilMs;
  const isAnswered = (): boolean => ![...open].some(isMeant);
  await waitFor('their answers', isAnswered, { deadlineMs: PATIENCE_MS, everyMs: 10 }).catch(() => undefined);
  const nowMs = performance.now();
  const unanswered = [...open].filter(isMeant).map(({ startedAtMs }) => {
    return { startedAtMs, ms: nowMs - startedAtMs, outcome: 'no answer' as const, retryAfter: null };
  });
  return [...exchanges.filter(isMeant), ...unanswered];
}

/** How long those took that began at `fromMs` or later. */
export function timesSince(exchanges: readonly Pick<Exchange, 'startedAtMs' | 'ms'>[], fromMs: number): number[] {
  return exchanges.flatMap(({ startedAtMs, ms }) => (startedAtMs >= fromMs ? [ms] : []));
}

/** Not of those alone that were answered. */
export function acceptsAll(arena: Arena, seen: readonly Exchange[]): void {
  const accepted = seen.filter(({ outcome }) => outcome === 'accepted').length;
  arena.holds('100 % accepted', accepted > 0 && accepted === seen.length, `${accepted} of ${seen.length}`);
}
