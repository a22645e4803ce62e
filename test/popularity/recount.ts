import { occurredAtMs } from '../../src/interactions/interaction-id.ts';
import {
  INTERACTION_TYPES,
  isReactionType,
  type Interaction,
  type InteractionType,
} from '../../src/interactions/interaction.ts';
import type { PopularityWindow, Ranking } from '../../src/popularity/ranking.ts';

export interface RecountedItem {
  readonly itemId: string;
  readonly score: number;
  readonly sortKey: number;
  readonly people: number;
}

interface Share {
  readonly itemId: string;
  readonly type: InteractionType;
  readonly minute: number;
  readonly events: number;
  readonly people: number;
}

const MINUTES: Record<Exclude<PopularityWindow, 'ALL_TIME'>, number> = {
  HOUR: 60,
  DAY: 1_440,
  WEEK: 10_080,
  MONTH: 43_200,
};

/**
 * What the answers must be, from nothing but the interactions in the order they were recorded: the rules of the contract
 * written down once more, plainly.
 */
export function createRecount(recorded: readonly Interaction[]) {
  const shares = [...eventShares(recorded), ...reactionShares(recorded)];

  function inWindow(window: PopularityWindow | null, asOfMs: number): Share[] {
    const hour = Math.floor(asOfMs / 3_600_000);
    const lastMinute = window === 'HOUR' ? Math.floor(asOfMs / 60_000) : hour * 60 + 59;
    const minutes = window === null || window === 'ALL_TIME' ? Infinity : MINUTES[window];
    return shares.filter(({ minute }) => minute <= lastMinute && minute > lastMinute - minutes);
  }

  return {
    rank(
      ranking: Ranking,
      window: PopularityWindow | null,
      asOfMs: number,
      isIn: (itemId: string) => boolean,
    ): RecountedItem[] {
      const items = new Map<string, { score: number; people: number }>();
      const shared = inWindow(window, asOfMs);
      // 2^x underflows for what is long ago: powers are taken from each item's newest hour on.
      const newest = new Map<string, number>();
      for (const { itemId, type, minute } of shared) {
        if (ranking.weights.has(type)) newest.set(itemId, Math.max(newest.get(itemId) ?? 0, Math.floor(minute / 60)));
      }
      for (const share of shared) {
        const weight = ranking.weights.get(share.type);
        if (weight === undefined || !isIn(share.itemId)) continue;
        const item = items.get(share.itemId) ?? { score: 0, people: 0 };
        const olderHours = (newest.get(share.itemId) ?? 0) - Math.floor(share.minute / 60);
        const decay = ranking.halfLifeHours === null ? 1 : 2 ** (-olderHours / ranking.halfLifeHours);
        item.score += weight * decay * (ranking.counts === 'people' ? share.people : share.events);
        item.people += share.people;
        items.set(share.itemId, item);
      }
      return [...items]
        .filter(([, { score }]) => score > 0)
        .map(([itemId, { score, people }]) => {
          if (ranking.halfLifeHours === null) return { itemId, score, people, sortKey: score };
          const exact = Math.log2(score) + (newest.get(itemId) ?? 0) / ranking.halfLifeHours;
          // The score is that of the rounded key: of the exact one it differs now and then in the sixth digit.
          const key = Math.round(exact * 1e9) / 1e9;
          return { itemId, score: 2 ** (key - asOfMs / 3_600_000 / ranking.halfLifeHours), people, sortKey: key };
        })
        .toSorted((a, b) => b.sortKey - a.sortKey || (a.itemId < b.itemId ? -1 : 1));
    },

    counts(itemId: string, window: PopularityWindow, asOfMs: number): [InteractionType, number][] {
      const here = inWindow(window, asOfMs).filter((share) => share.itemId === itemId);
      return INTERACTION_TYPES.flatMap((type): [InteractionType, number][] => {
        const events = here.filter((share) => share.type === type).reduce((sum, share) => sum + share.events, 0);
        return events > 0 ? [[type, events]] : [];
      });
    },
  };
}

/** Every event counts; a person once per item, type and hour, in the minute that was recorded first. */
function eventShares(recorded: readonly Interaction[]): Share[] {
  const seen = new Set<string>();
  return recorded.flatMap(({ id, itemId, viewer, type }) => {
    if (isReactionType(type)) return [];
    const minute = Math.floor(occurredAtMs(id) / 60_000);
    const person = JSON.stringify([itemId, type, viewer, Math.floor(minute / 60)]);
    const people = seen.has(person) ? 0 : 1;
    seen.add(person);
    return [{ itemId, type, minute, events: 1, people }];
  });
}

/** One share for each reaction that stands, in the minute of the earliest giving after the last retraction. */
function reactionShares(recorded: readonly Interaction[]): Share[] {
  const histories = new Map<string, Interaction[]>();
  for (const interaction of recorded) {
    if (!isReactionType(interaction.type)) continue;
    const key = JSON.stringify([interaction.itemId, interaction.viewer, interaction.type]);
    histories.set(key, [...(histories.get(key) ?? []), interaction]);
  }
  return [...histories.values()].flatMap((history) => {
    const ids = (retraction: boolean): string[] =>
      history
        .filter((event) => event.retraction === retraction)
        .map((event) => event.id)
        .toSorted();
    const lastRetraction = ids(true).at(-1) ?? '';
    const since = ids(false).find((id) => id > lastRetraction);
    const [first] = history;
    if (since === undefined || first === undefined) return [];
    return [
      {
        itemId: first.itemId,
        type: first.type,
        minute: Math.floor(occurredAtMs(since) / 60_000),
        events: 1,
        people: 1,
      },
    ];
  });
}
