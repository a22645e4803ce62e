import type { Interaction, InteractionType, ReactionType } from './interaction.ts';
import type { RejectionReason } from './recorder.ts';
import type { ReactionState } from './reaction.ts';
import type { ViewerKey } from './viewer-key.ts';

export type FoundInteraction =
  | { readonly status: 'RECORDED'; readonly interaction: Interaction }
  | { readonly status: 'REJECTED'; readonly interaction: Interaction; readonly reason: RejectionReason };

export interface ReactionRow {
  readonly itemId: string;
  readonly type: ReactionType;
  readonly state: ReactionState;
}

/** What Postgres knows of single interactions. Always read from the primary: people look for what they just did. */
export interface InteractionReader {
  /** By id the recorded one, else the rejected one, else nothing; `viewer` null means any viewer's (for admins). */
  find(ids: readonly string[], viewer: ViewerKey | null): Promise<ReadonlyMap<string, FoundInteraction>>;
  /** The viewer's recorded interactions with an id lower than `beforeId`, newest first, hidden items left out. */
  recent(viewer: ViewerKey, beforeId: string | null, limit: number): Promise<Interaction[]>;
  /** The viewer's reactions to these items, standing or not. */
  reactionsTo(viewer: ViewerKey, itemIds: readonly string[]): Promise<ReactionRow[]>;
  /**
   * The newest `limit` of the viewer's reactions that stand since a giving before `beforeId`, of one type or (null) any; and
   * all of theirs to these items, standing or not. In no order.
   */
  standingReactions(
    viewer: ViewerKey,
    type: ReactionType | null,
    beforeId: string | null,
    limit: number,
    itemIds: readonly string[],
  ): Promise<ReactionRow[]>;
}

export type CountsByType = ReadonlyMap<InteractionType, number>;
