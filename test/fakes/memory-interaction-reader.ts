import { isReactionType, type Interaction } from '../../src/interactions/interaction.ts';
import type { FoundInteraction, InteractionReader, ReactionRow } from '../../src/interactions/interaction-reader.ts';
import { applyReactionEvents } from '../../src/interactions/reaction.ts';
import type { RejectionReason } from '../../src/interactions/recorder.ts';

export interface MemoryInteractionReader extends InteractionReader {
  readonly recorded: Interaction[];
  /** Ids of hidden items. */
  readonly hidden: Set<string>;
  readonly rejected: { interaction: Interaction; reason: RejectionReason }[];
  readonly calls: { find: number; recent: number; reactions: (readonly string[] | null)[] };
}

export function createMemoryInteractionReader(): MemoryInteractionReader {
  function reactionRows(viewer: string): ReactionRow[] {
    const rows = new Map<string, ReactionRow>();
    for (const interaction of reader.recorded) {
      const { type, itemId } = interaction;
      if (interaction.viewer !== viewer || reader.hidden.has(itemId) || !isReactionType(type)) continue;
      const events = reader.recorded.filter(
        (other) => other.viewer === viewer && other.itemId === itemId && other.type === type,
      );
      rows.set(`${type}:${itemId}`, {
        itemId,
        type,
        state: applyReactionEvents({ sinceId: null, retractedId: null }, events),
      });
    }
    return [...rows.values()];
  }
  const reader: MemoryInteractionReader = {
    recorded: [],
    hidden: new Set(),
    rejected: [],
    calls: { find: 0, recent: 0, reactions: [] },
    async find(ids, viewer) {
      reader.calls.find += 1;
      const isWanted = (interaction: Interaction): boolean =>
        ids.includes(interaction.id) && (viewer === null || interaction.viewer === viewer);
      const found = new Map<string, FoundInteraction>();
      for (const row of reader.rejected) {
        if (isWanted(row.interaction)) found.set(row.interaction.id, { status: 'REJECTED', ...row });
      }
      for (const interaction of reader.recorded) {
        if (isWanted(interaction)) found.set(interaction.id, { status: 'RECORDED', interaction });
      }
      return found;
    },
    async recent(viewer, beforeId, limit) {
      reader.calls.recent += 1;
      return reader.recorded
        .filter(({ itemId }) => !reader.hidden.has(itemId))
        .filter((interaction) => interaction.viewer === viewer && (beforeId === null || interaction.id < beforeId))
        .sort((a, b) => (a.id < b.id ? 1 : -1))
        .slice(0, limit);
    },
    async reactionsTo(viewer, itemIds) {
      reader.calls.reactions.push(itemIds);
      return reactionRows(viewer).filter((row) => itemIds.includes(row.itemId));
    },
    async standingReactions(viewer, type, beforeId, limit, itemIds) {
      reader.calls.reactions.push(null);
      const since = (row: ReactionRow): string => row.state.sinceId ?? '';
      const newest = reactionRows(viewer)
        .filter((row) => since(row) !== '' && (type === null || row.type === type))
        .filter((row) => beforeId === null || since(row) < beforeId)
        .sort((a, b) => (since(a) < since(b) ? 1 : -1))
        .slice(0, limit);
      return [...newest, ...reactionRows(viewer).filter((row) => itemIds.includes(row.itemId))];
    },
  };
  return reader;
}
