import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PopularityReader, PopularityReads, RankedItem } from '../../src/popularity/popularity-reader.ts';
import type { PopularityWindow, Ranking } from '../../src/popularity/ranking.ts';

export interface PopularityReaderUnderTest extends AsyncDisposable {
  readonly reader: PopularityReader;
  readonly ranking: Ranking;
  readonly window: PopularityWindow;
  /** What stands in it, best first; five at least. */
  readonly ids: readonly string[];
  /** A point that every replica is past. */
  readonly point: string;
  makeStandings(): Promise<void>;
}

/** What every PopularityReader promises of pages; what is in them is held by the recount. `setup` gives one without standings. */
export function popularityReaderContract(name: string, setup: () => Promise<PopularityReaderUnderTest>): void {
  describe(`${name}, as a popularity reader`, () => {
    let subject: PopularityReaderUnderTest;
    beforeAll(async () => {
      subject = await setup();
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());

    const page = async (
      after: Pick<RankedItem, 'sortKey' | 'itemId'> | null,
      limit: number,
      reads: PopularityReads = subject.reader,
    ): Promise<readonly RankedItem[]> => {
      const standings = await reads.standings(subject.ranking, subject.window, null, after, limit);
      if (standings === null) throw new Error('no standing');
      return standings.items;
    };
    const idsOf = (rows: readonly RankedItem[]): string[] => rows.map(({ itemId }) => itemId);

    it('says that there is no standing until one is made', async () => {
      const { reader, ranking, window } = subject;
      expect(await reader.standings(ranking, window, null, null, 10)).toBeNull();
      await subject.makeStandings();
      expect(await reader.standings(ranking, window, null, null, 10)).toMatchObject({ asOf: expect.any(Date) });
    });

    it('gives a standing best first, by falling sort key, then by id', async () => {
      const rows = await page(null, 100);
      expect(idsOf(rows)).toEqual(subject.ids);
      expect(rows).toEqual(
        rows.toSorted((a, b) => b.sortKey - a.sortKey || Buffer.compare(Buffer.from(a.itemId), Buffer.from(b.itemId))),
      );
      for (const { score, sortKey, people } of rows) {
        expect(score).toBe(sortKey);
        expect(people).toBeGreaterThan(0);
      }
    });

    it('goes on after any place, also after one that nobody holds any more', async () => {
      const { ids } = subject;
      const all = await page(null, 100);
      for (const [index, row] of all.entries())
        expect(idsOf(await page(row, 2))).toEqual(ids.slice(index + 1, index + 3));
      const [, second] = all;
      if (second === undefined) throw new Error('no second place');
      // Just above and just below the second place.
      expect(idsOf(await page({ ...second, sortKey: second.sortKey + 0.5 }, 100))).toEqual(ids.slice(1));
      expect(idsOf(await page({ ...second, sortKey: second.sortKey - 0.5 }, 100))).toEqual(
        idsOf(all.filter(({ sortKey }) => sortKey < second.sortKey)),
      );
    });

    it('sums to the same rows', async () => {
      const { reader, ranking, window } = subject;
      const summed = await reader.sum({ ranking, window, types: null, category: null, asOf: new Date() });
      expect(summed.items).toEqual(await page(null, 100));
    });

    it('counts each item that is asked for', async () => {
      const { reader, ids, window } = subject;
      const asked = ids.slice(0, 2).toReversed();
      const counts = await reader.counts(asked, window, new Date());
      expect([...counts.keys()].toSorted()).toEqual(asked.toSorted());
      for (const [, byType] of counts) {
        expect(byType.size).toBeGreaterThan(0);
        for (const [, count] of byType) expect(count).toBeGreaterThan(0);
      }
      expect(await reader.counts([], window, new Date())).toEqual(new Map());
    });

    it('past a point that everybody is past it gives the same', async () => {
      expect(await page(null, 100, subject.reader.past(subject.point))).toEqual(await page(null, 100));
    });
  });
}
