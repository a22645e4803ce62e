import type { KnownInteraction } from '../../../interactions/viewer-history.ts';
import type { FoundItems } from '../../../items/catalogue.ts';
import { isItemId, type Item } from '../../../items/item.ts';
import type { PopularArguments } from '../../../popularity/popular-query.ts';
import type { PopularPage } from '../../../popularity/popular-items.ts';
import type { Ranking } from '../../../popularity/ranking.ts';
import { PublicError } from '../../../runtime/errors.ts';
import type { ReadPoint } from '../../../runtime/read-point.ts';
import { requireWriter } from '../authorize.ts';
import type { ApiContext } from '../context.ts';
import type { Identity } from '../../request-context.ts';

const MAX_ITEMS = 100;

export const query = {
  async popularItems(_: unknown, args: PopularArguments, context: ApiContext): Promise<PopularPage> {
    const findItems = async (ids: readonly string[]): Promise<FoundItems> => {
      const items = await Promise.all(ids.map((id) => context.loaders().item.load(id)));
      // The loader has told the answer's freshness of their age.
      return {
        items: new Map(items.flatMap((item) => (item === null ? [] : [[item.id, item]]))),
        ttlMs: Number.POSITIVE_INFINITY,
      };
    };
    const page = await context.useCases.popularItems.page(args, findItems, settledOf(args.includes ?? [], context));
    context.freshness.limit(page.ttlMs);
    return page;
  },

  rankings(_: unknown, _args: unknown, context: ApiContext): readonly Ranking[] {
    return context.useCases.rankings.list();
  },

  item(_: unknown, { id }: { id: string }, context: ApiContext): Promise<Item | null> | null {
    return isItemId(id) ? context.loaders().item.load(id) : null;
  },

  items(_: unknown, { ids }: { ids: readonly string[] }, context: ApiContext): Promise<(Item | null)[]> {
    if (ids.length > MAX_ITEMS) throw new PublicError('BAD_USER_INPUT', `\`ids\` must be at most ${MAX_ITEMS}.`);
    return Promise.all(ids.map(async (id) => (isItemId(id) ? context.loaders().item.load(id) : null)));
  },

  interaction(_: unknown, { id }: { id: string }, context: ApiContext): Promise<KnownInteraction | null> {
    return context.loaders().interaction.load(id);
  },

  viewer(_: unknown, _args: unknown, { identity }: ApiContext): Identity | null {
    return identity.key === null ? null : identity;
  },
};

/** Null where nothing has to be included. */
function settledOf(includes: readonly string[], context: ApiContext): (() => Promise<ReadPoint>) | null {
  if (includes.length === 0) return null;
  const viewer = requireWriter(context);
  return async () => {
    const point = await context.pause(context.useCases.includedWrites.settle(viewer, includes));
    context.patience.check();
    context.freshness.readPast(point);
    return point;
  };
}
