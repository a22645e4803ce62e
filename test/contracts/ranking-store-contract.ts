import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ranking, RankingStore } from '../../src/popularity/ranking.ts';

export interface RankingStoreUnderTest extends AsyncDisposable {
  readonly store: RankingStore;
}

const WINDOWED: Ranking = {
  name: 'zeal',
  description: 'With a window, é😀.',
  weights: new Map([
    ['VIEW', 0.25],
    ['PURCHASE', 10],
  ]),
  counts: 'events',
  window: 'ALL_TIME',
  halfLifeHours: null,
};
const DECAYING: Ranking = {
  name: 'ardour',
  description: 'With a half-life.',
  weights: new Map([['LIKE', 1]]),
  counts: 'people',
  window: null,
  halfLifeHours: 0.5,
};

/** What every RankingStore promises. */
export function rankingStoreContract(name: string, setup: () => Promise<RankingStoreUnderTest>): void {
  describe(`${name}, as a ranking store`, () => {
    let subject: RankingStoreUnderTest;
    beforeAll(async () => {
      subject = await setup();
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());

    it('gives back what replaced all others, in its order and with every part of each recipe', async () => {
      const { store } = subject;
      expect((await store.list()).length).toBeGreaterThan(0);
      await store.replaceAll([WINDOWED, DECAYING]);
      expect(await store.list()).toEqual([WINDOWED, DECAYING]);
    });

    it('a replacement may change a recipe, the order, and leave some out', async () => {
      const { store } = subject;
      await store.replaceAll([WINDOWED, DECAYING]);
      const changed: Ranking = { ...WINDOWED, counts: 'people', window: 'HOUR', weights: new Map([['SAVE', 2]]) };
      await store.replaceAll([DECAYING, changed]);
      expect(await store.list()).toEqual([DECAYING, changed]);
      await store.replaceAll([changed]);
      expect(await store.list()).toEqual([changed]);
    });
  });
}
