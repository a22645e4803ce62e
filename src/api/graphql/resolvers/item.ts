import type { ReactionType } from '../../../interactions/interaction.ts';
import type { Item } from '../../../items/item.ts';
import type { PopularityWindow } from '../../../popularity/ranking.ts';
import type { ApiContext } from '../context.ts';
import { interactionCounts, type InteractionCount } from './interaction-counts.ts';

/** Counts of one window asked within a minute share a batch and a cache entry. */
const MINUTE_MS = 60_000;

export const item = {
  async counts(
    { id }: Item,
    { window }: { window: PopularityWindow },
    { loaders, useCases, freshness }: ApiContext,
  ): Promise<InteractionCount[]> {
    const asOf = new Date(Math.floor(useCases.clock() / MINUTE_MS) * MINUTE_MS);
    return interactionCounts(await loaders().counts.load({ itemId: id, window, asOf, point: freshness.point() }));
  },

  viewerReactions: ({ id }: Item, _: unknown, { loaders }: ApiContext): Promise<readonly ReactionType[]> =>
    loaders().reactions.load(id),
};
