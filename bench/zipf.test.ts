import { expect, it } from 'vitest';
import { createRandom } from '../src/demo/random.ts';
import { createZipf } from './zipf.ts';

function plainShares(ranks: number, exponent: number): number[] {
  const weights = Array.from({ length: ranks }, (_, rank) => (rank + 1) ** -exponent);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

it('bands of ranks count as the ranks one by one do', () => {
  const shares = plainShares(50_000, 0.8);
  const zipf = createZipf(50_000, 0.8);
  expect(zipf.topShare / (shares[0] ?? 0)).toBeCloseTo(1, 3);
  for (const draws of [1, 100, 10_000, 1_000_000]) {
    const plain = shares.reduce((sum, share) => sum + 1 - (1 - share) ** draws, 0);
    expect(zipf.distinct(draws) / plain).toBeCloseTo(1, 3);
  }
});

it('draws the ranks as often as the law says', () => {
  const [ranks, draws] = [2_000, 200_000];
  const zipf = createZipf(ranks, 1);
  const random = createRandom(7);
  const counts = Array.from({ length: ranks }, () => 0);
  for (let draw = 0; draw < draws; draw += 1) {
    const rank = zipf.pick(random());
    counts[rank] = (counts[rank] ?? Number.NaN) + 1;
  }
  const shares = plainShares(ranks, 1);
  const upTo = (values: readonly number[], rank: number): number =>
    values.slice(0, rank).reduce((sum, value) => sum + value, 0);
  for (const rank of [1, 10, 100, 1_000, 1_500, ranks]) {
    expect(upTo(counts, rank) / draws).toBeCloseTo(upTo(shares, rank), 2);
  }
});

it('one item alone is met by every draw', () => {
  const zipf = createZipf(1, 0.8);
  expect([zipf.topShare, zipf.distinct(5), zipf.pick(0.5)]).toEqual([1, expect.closeTo(1), 0]);
});
