import { applyReactionEvents, type ReactionState } from './reaction.ts';
import type { FoundInteraction, InteractionReader, ReactionRow } from './interaction-reader.ts';
import {
  isReactionType,
  REACTION_TYPES,
  type Interaction,
  type InteractionStatus,
  type ReactionType,
} from './interaction.ts';
import { parseInteractionId } from './interaction-id.ts';
import type { PendingWrites } from './pending-writes.ts';
import type { RejectionReason } from './recorder.ts';
import type { ViewerKey } from './viewer-key.ts';

export interface KnownInteraction {
  readonly interaction: Interaction;
  readonly status: InteractionStatus;
  readonly rejectedReason: RejectionReason | null;
}

export interface StandingReaction {
  readonly itemId: string;
  readonly type: ReactionType;
  /** The giving it stands since. */
  readonly sinceId: string;
}

/** What single viewers did: what Postgres has, and what was accepted and is still on its way. */
export interface ViewerHistory {
  /** In the order of the ids, those of this viewer, or of any when null. */
  find(ids: readonly string[], viewer: ViewerKey | null): Promise<(KnownInteraction | null)[]>;
  /** With an id lower than `beforeId`, newest first. */
  interactions(viewer: ViewerKey, beforeId: string | null, limit: number): Promise<KnownInteraction[]>;
  /** Those that stand since before `beforeId`, newest first. */
  reactions(
    viewer: ViewerKey,
    type: ReactionType | null,
    beforeId: string | null,
    limit: number,
  ): Promise<StandingReaction[]>;
  /** What stands on these items, by item, in the enum's order. */
  reactionsTo(viewer: ViewerKey, itemIds: readonly string[]): Promise<ReadonlyMap<string, readonly ReactionType[]>>;
}

const NO_STATE: ReactionState = { sinceId: null, retractedId: null };

export function createViewerHistory(options: {
  readonly reader: InteractionReader;
  readonly pending: Pick<PendingWrites, 'ofViewer' | 'find'>;
  readonly isHidden: (itemId: string) => boolean;
}): ViewerHistory {
  const { reader, pending, isHidden } = options;

  async function settledOrPending(
    id: string,
    found: FoundInteraction | undefined,
    viewer: ViewerKey | null,
  ): Promise<KnownInteraction | null> {
    if (found !== undefined) {
      const rejectedReason = found.status === 'REJECTED' ? found.reason : null;
      return { interaction: found.interaction, status: found.status, rejectedReason };
    }
    const interaction = await pending.find(id);
    if (interaction === null || (viewer !== null && interaction.viewer !== viewer)) return null;
    return { interaction, status: 'ACCEPTED', rejectedReason: null };
  }

  return {
    async find(rawIds, viewer) {
      const ids = rawIds.map(parseInteractionId);
      const askable = [...new Set(ids.flatMap((id) => id ?? []))];
      if (askable.length === 0) return ids.map(() => null);
      const settled = await reader.find(askable, viewer);
      const known = await Promise.all(askable.map((id) => settledOrPending(id, settled.get(id), viewer)));
      const byId = new Map(askable.map((id, index) => [id, known[index] ?? null]));
      return ids.map((id) => (id === undefined ? null : (byId.get(id) ?? null)));
    },

    async interactions(viewer, beforeId, limit) {
      const [accepted, recorded] = await Promise.all([
        pending.ofViewer(viewer),
        reader.recent(viewer, beforeId, limit),
      ]);
      const known = new Map<string, KnownInteraction>();
      for (const interaction of accepted) {
        if ((beforeId !== null && interaction.id >= beforeId) || isHidden(interaction.itemId)) continue;
        known.set(interaction.id, { interaction, status: 'ACCEPTED', rejectedReason: null });
      }
      for (const interaction of recorded) {
        known.set(interaction.id, { interaction, status: 'RECORDED', rejectedReason: null });
      }
      return [...known.values()].sort((a, b) => (a.interaction.id < b.interaction.id ? 1 : -1)).slice(0, limit);
    },

    async reactions(viewer, type, beforeId, limit) {
      const events = (await pending.ofViewer(viewer)).filter((event) => isReactionType(event.type));
      const touched = [...new Set(events.map((event) => event.itemId))];
      // Each accepted event can take one of these away.
      const enough = limit + touched.length * REACTION_TYPES.length;
      return fold(await reader.standingReactions(viewer, type, beforeId, enough, touched), events)
        .filter((reaction) => (type === null || reaction.type === type) && !isHidden(reaction.itemId))
        .filter((reaction) => beforeId === null || reaction.sinceId < beforeId)
        .sort((a, b) => (a.sinceId < b.sinceId ? 1 : -1))
        .slice(0, limit);
    },

    async reactionsTo(viewer, itemIds) {
      const wanted = new Set(itemIds);
      const [events, rows] = await Promise.all([pending.ofViewer(viewer), reader.reactionsTo(viewer, itemIds)]);
      const standing = fold(rows, events);
      const byItem = new Map<string, ReactionType[]>();
      for (const type of REACTION_TYPES) {
        for (const reaction of standing) {
          if (reaction.type !== type || !wanted.has(reaction.itemId)) continue;
          byItem.set(reaction.itemId, [...(byItem.get(reaction.itemId) ?? []), type]);
        }
      }
      return byItem;
    },
  };
}

/** Recorded states with the accepted events applied; applying what is recorded already changes nothing. */
function fold(rows: readonly ReactionRow[], accepted: readonly Interaction[]): StandingReaction[] {
  const keyOf = (type: ReactionType, itemId: string): string => `${type}:${itemId}`;
  const states = new Map(rows.map((row) => [keyOf(row.type, row.itemId), row]));
  const events = new Map<string, Interaction[]>();
  for (const event of accepted) {
    if (!isReactionType(event.type)) continue;
    const { type, itemId } = event;
    const key = keyOf(type, itemId);
    if (!states.has(key)) states.set(key, { itemId, type, state: NO_STATE });
    const others = events.get(key);
    if (others === undefined) events.set(key, [event]);
    else others.push(event);
  }
  return [...states].flatMap(([key, { itemId, type, state }]) => {
    const { sinceId } = applyReactionEvents(state, events.get(key) ?? []);
    return sinceId === null ? [] : [{ itemId, type, sinceId }];
  });
}
