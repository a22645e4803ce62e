import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryItemStore, type MemoryItemStore } from '../../test/fakes/memory-item-store.ts';
import {
  createMemoryPopularityReader,
  rankedItems,
  type MemoryPopularityReader,
} from '../../test/fakes/memory-popularity-reader.ts';
import { createMemoryRankingStore } from '../../test/fakes/memory-ranking-store.ts';
import { createSwrCache, type SwrCache } from '../cache/swr-cache.ts';
import { createCatalogueFollower, type CatalogueFollower } from '../items/catalogue-follower.ts';
import { createCatalogue, type Catalogue } from '../items/catalogue.ts';
import { createLogger } from '../runtime/logger.ts';
import { createCurrentRankings } from './current-rankings.ts';
import { createPopularItems, type PopularItems, type PopularPage } from './popular-items.ts';
import type { PopularArguments } from './popular-query.ts';
import { createSumSlots } from './sum-slots.ts';

const NOW = Date.parse('2026-11-23T12:30:20.000Z');
const HOUR_MS = 3_600_000;
const IDS = Array.from({ length: 1_100 }, (_, index) => `item-${String(index).padStart(4, '0')}`);

let nowMs: number;
let reader: MemoryPopularityReader;
let items: MemoryItemStore;
let follower: CatalogueFollower;
let catalogue: Catalogue;
let popular: PopularItems;

beforeEach(async () => {
  nowMs = NOW;
  reader = createMemoryPopularityReader(rankedItems(IDS));
  items = createMemoryItemStore(IDS.map((id) => ({ id })));
  const logger = createLogger('silent', 'test');
  follower = createCatalogueFollower({ items, intervalMs: 1_000, logger });
  const rankings = createCurrentRankings({ store: createMemoryRankingStore(), follower, logger });
  await follower.follow();
  const cache = <V>(): SwrCache<V> =>
    createSwrCache({ maxSize: 5_000, freshMs: 500, staleMs: 500, nowMs: () => nowMs });
  catalogue = createCatalogue({ items, follower, cache: cache() });
  popular = createPopularItems({
    reader,
    rankings,
    follower,
    rowsCache: cache(),
    countsCache: cache(),
    slots: createSumSlots({ slots: 2, maxWaitMs: 20 }),
    clock: () => nowMs,
  });
});

const page = (asked: Partial<PopularArguments> = {}): Promise<PopularPage> =>
  popular.page({ first: 3, ranking: 'popular', ...asked }, (ids) => catalogue.find(ids, null), null);
const idsOf = ({ rows }: PopularPage): string[] => rows.map(({ item }) => item.id);
const endOf = ({ rows }: PopularPage): string => rows.at(-1)?.cursor ?? '';

describe('bad input', () => {
  it.each<[string, Partial<PopularArguments>]>([
    ['first of 0', { first: 0 }],
    ['first of -1', { first: -1 }],
    ['first of 101', { first: 101 }],
    ['an unknown ranking', { ranking: 'constructor' }],
    ['a window with a half-life', { ranking: 'trending', window: 'DAY' }],
    ['a time ahead', { asOf: new Date(NOW + 1) }],
    ['HOUR further back than minutes are kept', { window: 'HOUR', asOf: new Date(NOW - 48 * HOUR_MS - 1) }],
    ['no types', { types: [] }],
    ['an empty category', { category: '' }],
    ['NUL in the category', { category: 'a\0' }],
    ['a malformed cursor', { after: 'nonsense' }],
    ['an empty cursor', { after: '' }],
    ['a cursor of JSON', { after: Buffer.from('["x",1,1,"a"]').toString('base64url') }],
  ])('%s is BAD_USER_INPUT', async (_, asked) => {
    await expect(page(asked)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(reader.calls).toEqual({ standings: [], sum: [], counts: [], past: [] });
  });

  it.each<[string, Partial<PopularArguments>]>([
    ['ranking', { ranking: 'trending' }],
    ['window', { window: 'DAY' }],
    ['types', { types: ['LIKE'] }],
    ['category', { category: 'books' }],
    ['asOf', { asOf: new Date(NOW - HOUR_MS) }],
  ])('a cursor of another %s is BAD_USER_INPUT', async (_, other) => {
    const after = endOf(await page());
    await expect(page({ ...other, after })).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    const ofOther = endOf(await page(other));
    await expect(page({ after: ofOther })).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});

describe('paging', () => {
  it('goes on where the cursor points, ranks counted through', async () => {
    const first = await page();
    expect(first).toMatchObject({ hasNextPage: true, hasPreviousPage: false, window: 'WEEK', asOf: reader.asOf });
    const second = await page({ after: endOf(first) });
    expect(idsOf(second)).toEqual(IDS.slice(3, 6));
    expect(second.rows.map(({ rank }) => rank)).toEqual([4, 5, 6]);
    expect(second.hasPreviousPage).toBe(true);
  });

  it('takes a cursor with the default window spelt out', async () => {
    const after = endOf(await page());
    expect(idsOf(await page({ after, window: 'WEEK' }))).toEqual(IDS.slice(3, 6));
  });

  it('reaches down to rank 1,000 and no further', async () => {
    let last = await page({ first: 100 });
    for (let pages = 1; pages < 10; pages += 1) last = await page({ first: 100, after: endOf(last) });
    expect(last.rows.at(-1)?.rank).toBe(1_000);
    expect(last.hasNextPage).toBe(false);
    const beyond = await page({ after: endOf(last) });
    expect(beyond.rows).toEqual([]);
    expect(beyond.hasNextPage).toBe(false);
  });

  it('cuts a page where the depth ends', async () => {
    let last = await page({ first: 99 });
    for (let pages = 1; pages < 10; pages += 1) last = await page({ first: 99, after: endOf(last) });
    const end = await page({ first: 100, after: endOf(last) });
    expect(end.rows.map(({ rank }) => rank)).toEqual([991, 992, 993, 994, 995, 996, 997, 998, 999, 1_000]);
    expect(end.hasNextPage).toBe(false);
  });

  it('says when the list ends with the page', async () => {
    reader.rows = rankedItems(IDS.slice(0, 3));
    expect((await page()).hasNextPage).toBe(false);
    expect((await page({ first: 2 })).hasNextPage).toBe(true);
  });

  it('pages through a sum by score and id, ids in code-point order', async () => {
    const row = { score: 5, sortKey: 5, people: 1 };
    // UTF-16 would put the emoji, a surrogate pair, first.
    const ids = ['\uff5e', '😀'];
    reader.rows = ids.map((itemId) => ({ ...row, itemId }));
    await catalogue.upsert(ids.map((id) => ({ id, title: id })));
    const first = await page({ first: 1, types: ['LIKE'] });
    expect(idsOf(first)).toEqual(['\uff5e']);
    expect(idsOf(await page({ first: 1, types: ['LIKE'], after: endOf(first) }))).toEqual(['😀']);
  });
});

describe('hidden items', () => {
  it('are gone at once although the reader and the caches still have them, and the page is full', async () => {
    await page();
    items.lagging = true;
    await catalogue.hide([IDS[0] ?? '', IDS[2] ?? ''], true);
    const after = await page();
    expect(idsOf(after)).toEqual([IDS[1], IDS[3], IDS[4]]);
    expect(after.rows.map(({ rank }) => rank)).toEqual([1, 2, 3]);
  });

  it('are back once shown again', async () => {
    await catalogue.hide([IDS[0] ?? ''], true);
    await catalogue.hide([IDS[0] ?? ''], false);
    expect(idsOf(await page())).toEqual(IDS.slice(0, 3));
  });

  it('that only the item store knows of leave no hole', async () => {
    reader.rows = rankedItems(['gone', ...IDS]);
    const found = await page();
    expect(idsOf(found)).toEqual(IDS.slice(0, 2));
    expect(found.rows.map(({ rank }) => rank)).toEqual([1, 2]);
  });
});

describe('where answers come from', () => {
  it('is the standings for now, a sum for the past and for types', async () => {
    await page();
    expect(reader.calls).toMatchObject({ standings: [{ window: 'WEEK' }], sum: [] });
    const past = new Date(NOW - 5 * HOUR_MS);
    expect((await page({ asOf: past })).asOf).toEqual(past);
    const filtered = await page({ types: ['PURCHASE', 'LIKE', 'LIKE'] });
    // Of the server that answered: how far it is, our clock does not know.
    expect(filtered.asOf).toEqual(reader.asOf);
    expect(reader.calls.standings).toHaveLength(1);
    expect(reader.calls.sum).toMatchObject([
      { types: null, asOf: past },
      { types: ['LIKE', 'PURCHASE'], asOf: null },
    ]);
  });

  it('is the standings when the types are all that the ranking counts', async () => {
    await page({ types: ['PURCHASE', 'VIEW', 'LIKE', 'SHARE'] });
    expect(reader.calls.sum).toEqual([]);
  });

  it('is nowhere when the ranking counts none of the types', async () => {
    const empty = await page({ types: ['SHARE'] });
    expect(empty.rows).toEqual([]);
    expect(reader.calls).toMatchObject({ standings: [], sum: [] });
  });

  it('is a sum as of now for a ranking without a standing', async () => {
    reader.ready = false;
    const found = await page();
    expect(idsOf(found)).toEqual(IDS.slice(0, 3));
    expect(found.asOf).toEqual(reader.asOf);
  });

  it('is one sum per bucket: a minute for HOUR, an hour otherwise', async () => {
    const at = (ago: number): Date => new Date(NOW - HOUR_MS - ago);
    await page({ asOf: at(0) });
    await page({ asOf: at(10 * 60_000) });
    expect(reader.calls.sum).toHaveLength(1);
    await page({ asOf: at(HOUR_MS) });
    expect(reader.calls.sum).toHaveLength(2);
    await page({ window: 'HOUR', asOf: at(0) });
    await page({ window: 'HOUR', asOf: at(15_000) });
    expect(reader.calls.sum).toHaveLength(3);
    await page({ window: 'HOUR', asOf: at(30_000) });
    expect(reader.calls.sum).toHaveLength(4);
  });

  it('is the cached sum, decayed to the time asked for', async () => {
    reader.rows = [{ itemId: IDS[0] ?? '', score: 0, people: 1, sortKey: NOW / HOUR_MS / 24 }];
    const half = new Date(NOW - 20 * 60_000);
    const first = await page({ ranking: 'trending', asOf: new Date(NOW) });
    const second = await page({ ranking: 'trending', asOf: half });
    expect(reader.calls.sum).toHaveLength(1);
    expect(first.rows[0]?.score).toBeCloseTo(1, 9);
    expect(second.rows[0]?.score).toBeCloseTo(2 ** (20 / 60 / 24), 9);
  });
});

describe('the data cache', () => {
  it('asks once for 100 concurrent readers', async () => {
    await Promise.all(Array.from({ length: 100 }, () => page()));
    expect(reader.calls.standings).toHaveLength(1);
    expect(items.calls.find).toHaveLength(1);
  });

  it('forgets everything when the generation changes', async () => {
    await page();
    items.bumpGeneration();
    await follower.follow();
    await page();
    expect(reader.calls.standings).toHaveLength(2);
  });

  it('answers with a stale page while it reads a new one for long, and not for over a second', async () => {
    await page();
    reader.rows = rankedItems(IDS.slice(5));
    nowMs += 600;
    let open = (): void => undefined;
    reader.gate = new Promise<void>((resolve) => (open = resolve));
    expect(idsOf(await page())[0]).toBe(IDS[0]);
    open();
    await new Promise((resolve) => void setImmediate(resolve));
    expect(idsOf(await page())[0]).toBe(IDS[5]);
    reader.rows = rankedItems(IDS.slice(9));
    nowMs += 1_000;
    expect(idsOf(await page())[0]).toBe(IDS[9]);
  });

  it('answers SERVICE_BUSY to a third sum that waits too long', async () => {
    let open = (): void => undefined;
    reader.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const past = [1, 2].map((hours) => page({ asOf: new Date(NOW - hours * HOUR_MS) }));
    await expect(page({ asOf: new Date(NOW - 3 * HOUR_MS) })).rejects.toMatchObject({ code: 'SERVICE_BUSY' });
    open();
    await Promise.all(past);
  });

  it('keeps counts by window and bucket, one call for all that are missing', async () => {
    await popular.counts(['a', 'b'], 'DAY', new Date(NOW), null);
    await popular.counts(['a', 'b', 'c'], 'DAY', new Date(NOW + 1_000), null);
    expect(reader.calls.counts.map(({ itemIds }) => itemIds)).toEqual([['a', 'b'], ['c']]);
    await popular.counts(['a'], 'DAY', new Date(NOW + HOUR_MS), null);
    expect(reader.calls.counts).toHaveLength(3);
  });
});
