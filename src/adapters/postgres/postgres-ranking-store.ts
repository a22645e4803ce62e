import { INTERACTION_TYPES, type InteractionType } from '../../interactions/interaction.ts';
import type { Ranking, RankingStore } from '../../popularity/ranking.ts';
import type { Database } from './prisma-database.ts';
import { recipeOf, REFRESH_LOCK } from './standings-lists.ts';
import type { Ranking as RankingRow } from '../generated/prisma/client.ts';

export function createPostgresRankingStore(database: Database): RankingStore {
  return {
    async list() {
      const rows = await database.latest((client) => client.ranking.findMany({ orderBy: { position: 'asc' } }));
      return rows.map(toRanking);
    },
    async replaceAll(rankings) {
      await database.transaction(async (tx) => {
        // A pass on its way would fill their lists by the recipes that it has read.
        await tx.$executeRaw`SELECT pg_advisory_xact_lock(${REFRESH_LOCK})`;
        const before = new Map((await tx.ranking.findMany()).map((row) => [row.name, recipeOf(toRanking(row))]));
        const changed = rankings.filter((ranking) => before.get(ranking.name) !== recipeOf(ranking));
        // Their standings are by the old recipe: until they are summed again, answers come from the rollups.
        await tx.standingList.updateMany({
          where: { ranking: { in: changed.map(({ name }) => name) } },
          data: { ready: false },
        });
        await tx.ranking.deleteMany();
        await tx.ranking.createMany({
          data: rankings.map(({ weights, ...ranking }, position) => ({
            ...ranking,
            weights: Object.fromEntries(weights),
            position,
          })),
        });
        await tx.catalogueState.updateMany({ data: { generation: { increment: 1 } } });
      });
    },
  };
}

export function toRanking(row: RankingRow): Ranking {
  const weights = new Map<InteractionType, number>();
  for (const type of INTERACTION_TYPES) {
    const weight: unknown = row.weights instanceof Object ? Reflect.get(row.weights, type) : undefined;
    if (typeof weight === 'number' && weight > 0) weights.set(type, weight);
  }
  return {
    name: row.name,
    description: row.description,
    weights,
    counts: row.counts,
    window: row.window,
    halfLifeHours: row.halfLifeHours,
  };
}
