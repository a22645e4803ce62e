import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryItemStore, type MemoryItemStore } from '../../test/fakes/memory-item-store.ts';
import { createMemoryRankingStore, RANKINGS } from '../../test/fakes/memory-ranking-store.ts';
import { createCatalogueFollower, type CatalogueFollower } from '../items/catalogue-follower.ts';
import { UnavailableError } from '../runtime/errors.ts';
import { createLogger } from '../runtime/logger.ts';
import { createCurrentRankings, type CurrentRankings } from './current-rankings.ts';
import type { RankingStore } from './ranking.ts';

const logger = createLogger('silent', 'test');

let items: MemoryItemStore;
let store: RankingStore;
let follower: CatalogueFollower;
let rankings: CurrentRankings;

beforeEach(() => {
  items = createMemoryItemStore();
  store = createMemoryRankingStore();
  follower = createCatalogueFollower({ items, intervalMs: 1_000, logger });
  rankings = createCurrentRankings({ store: { list: () => store.list() }, follower, logger });
});

describe('the current rankings', () => {
  it('are unavailable until they were read once', async () => {
    expect(() => rankings.list()).toThrow(UnavailableError);
    expect(() => rankings.find('popular')).toThrow(UnavailableError);
    await follower.follow();
    expect(rankings.list()).toEqual(RANKINGS);
    expect(rankings.find('popular')?.window).toBe('WEEK');
    expect(rankings.find('toString')).toBeUndefined();
  });

  it('are read again when the generation changes', async () => {
    await follower.follow();
    await store.replaceAll(RANKINGS.slice(0, 1));
    items.bumpGeneration();
    await follower.follow();
    expect(rankings.list().map(({ name }) => name)).toEqual(['popular']);
    expect(rankings.find('trending')).toBeUndefined();
  });

  it('stay as they are when they cannot be read, and are read at the next look', async () => {
    await follower.follow();
    const working = store;
    store = { ...store, list: () => Promise.reject(new UnavailableError('away')) };
    items.bumpGeneration();
    await follower.follow();
    expect(rankings.list()).toEqual(RANKINGS);
    store = working;
    await store.replaceAll([]);
    await follower.follow();
    expect(rankings.list()).toEqual([]);
  });
});
