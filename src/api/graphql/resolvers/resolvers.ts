import { interaction } from './interaction.ts';
import { item } from './item.ts';
import { mutation } from './mutation.ts';
import { popularItem, popularItemConnection } from './popular-item.ts';
import { query } from './query.ts';
import { ranking } from './ranking.ts';
import { scalars } from './scalars.ts';
import { viewer } from './viewer.ts';

/** One object per type of schema.graphql that needs more than its parent's fields. */
export const resolvers = {
  ...scalars,
  Query: query,
  Mutation: mutation,
  PopularItemConnection: popularItemConnection,
  PopularItem: popularItem,
  Item: item,
  Interaction: interaction,
  Ranking: ranking,
  Viewer: viewer,
};
