/** Zipf's law over many ranks: the first ones each by itself, the rest in bands that widen by a hundredth. */
export interface Zipf {
  readonly topShare: number;
  /** Of so many draws, how many ranks are met at least once. */
  distinct(draws: number): number;
  /** A rank from 0, for a number from 0 up to 1. */
  pick(random: number): number;
}

interface Band {
  readonly from: number;
  readonly ranks: number;
  /** Of all draws, those that fall to the bands up to this one. */
  readonly upTo: number;
  readonly share: number;
}

const ONE_BY_ONE = 1_000;

export function createZipf(ranks: number, exponent: number): Zipf {
  const widths: { from: number; ranks: number; weight: number }[] = [];
  for (let from = 1; from <= ranks;) {
    const width = from <= ONE_BY_ONE ? 1 : Math.min(Math.ceil(from / 100), ranks - from + 1);
    widths.push({ from, ranks: width, weight: width * (from + (width - 1) / 2) ** -exponent });
    from += width;
  }
  const total = widths.reduce((sum, { weight }) => sum + weight, 0);
  let upTo = 0;
  const bands: Band[] = widths.map(({ from, ranks, weight }) => {
    upTo += weight / total;
    return { from, ranks, upTo, share: weight / total };
  });
  return {
    topShare: bands[0]?.share ?? 1,
    distinct: (draws) =>
      bands.reduce(
        (sum, { ranks, share }) => sum + ranks * -Math.expm1(draws * Math.log1p(-Math.min(share / ranks, 1 - 1e-12))),
        0,
      ),
    pick(random) {
      let [low, high] = [0, bands.length - 1];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((bands[middle]?.upTo ?? 1) > random) high = middle;
        else low = middle + 1;
      }
      const { from, ranks, upTo, share } = bands[low] ?? { from: 1, ranks: 1, upTo: 1, share: 1 };
      const within = Math.min(1 - 1e-12, Math.max(0, (random - (upTo - share)) / share));
      return from - 1 + Math.floor(within * ranks);
    },
  };
}
