import { UnavailableError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { CatalogueFollower } from '../items/catalogue-follower.ts';
import type { Ranking, RankingStore } from './ranking.ts';

/** The rankings as this process knows them: read again when the catalogue's generation changes, and every 5 s. */
export interface CurrentRankings {
  /** In the order of the store. @throws UnavailableError they could not be read even once */
  list(): readonly Ranking[];
  find(name: string): Ranking | undefined;
}

const RELOAD_MS = 5_000;

export function createCurrentRankings(options: {
  readonly store: Pick<RankingStore, 'list'>;
  readonly follower: Pick<CatalogueFollower, 'onFollow'>;
  readonly logger: Logger;
}): CurrentRankings {
  const { store, follower, logger } = options;
  let rankings: readonly Ranking[] | undefined;
  let byName: ReadonlyMap<string, Ranking> = new Map();
  let loadedAtMs = Number.NEGATIVE_INFINITY;
  let stale = true;

  follower.onFollow(async ({ changed }) => {
    stale ||= changed || performance.now() - loadedAtMs > RELOAD_MS;
    if (!stale) return;
    try {
      rankings = await store.list();
      byName = new Map(rankings.map((ranking) => [ranking.name, ranking]));
      loadedAtMs = performance.now();
      stale = false;
    } catch (error) {
      logger.warn({ error }, 'cannot read the rankings');
    }
  });

  function list(): readonly Ranking[] {
    if (rankings === undefined) throw new UnavailableError('the rankings are not read yet');
    return rankings;
  }

  return {
    list,
    find(name) {
      list();
      return byName.get(name);
    },
  };
}
