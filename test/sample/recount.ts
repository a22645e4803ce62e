import { createReadStream } from 'node:fs';
import { pathToFileURL } from 'node:url';
import unbzip2 from 'unbzip2-stream';

/**
 * What Groundswell must answer once a file of reviews is imported as COMMENT, and those with 4 or 5 stars as LIKE: counted
 * straight from the text, sharing no code with the importer or the SQL. Also for the whole file, by hand:
 * `npx tsx test/sample/recount.ts FILE [TIME ...]`.
 */
export interface Review {
  readonly reviewer: string;
  readonly vendor: string;
  readonly rating: number;
  /** Since the epoch. */
  readonly minute: number;
}

export interface VendorCounts {
  /** Every review. */
  comments: number;
  /** Each reviewer once per clock hour. */
  commenters: number;
  /** Reviewers who gave 4 or 5 stars at least once. */
  likes: number;
}

export interface RankedVendor {
  readonly vendor: string;
  readonly score: number;
  readonly people: number;
}

export async function readReviews(path: string): Promise<Review[]> {
  const text = await new Promise<string>((resolve, reject) => {
    const chunks: Buffer[] = [];
    createReadStream(path)
      .on('error', reject)
      .pipe(unbzip2())
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('error', reject)
      .on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
  return text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [reviewer = '', vendor = '', rating = '', date = ''] = line.trimEnd().split(',');
      return { reviewer, vendor, rating: Number(rating), minute: Date.parse(`${date.replace(' ', 'T')}Z`) / 60_000 };
    });
}

export function countReviews(reviews: readonly Review[]): Map<string, VendorCounts> {
  const counts = new Map<string, VendorCounts>();
  const of = (vendor: string): VendorCounts => {
    const known = counts.get(vendor) ?? { comments: 0, commenters: 0, likes: 0 };
    counts.set(vendor, known);
    return known;
  };
  for (const { vendor } of reviews) of(vendor).comments += 1;
  for (const { vendor } of commentHours(reviews)) of(vendor).commenters += 1;
  for (const { vendor } of likeHours(reviews)) of(vendor).likes += 1;
  return counts;
}

/** Likes that stand, by when they were given, of all history up to the end of the hour of `asOf`. */
export function mostLiked(reviews: readonly Review[], asOf: Date): RankedVendor[] {
  return rank(likeHours(reviews), -Infinity, asOf, 1, []);
}

/** People times weight (COMMENT 4, LIKE 3) in the 168 clock hours that end with the hour of `asOf`. */
export function popularInWeek(reviews: readonly Review[], asOf: Date): RankedVendor[] {
  return rank(likeHours(reviews), 168, asOf, 3, commentHours(reviews));
}

/** Comments and likes of each vendor in as many clock hours that end with the hour of `asOf`, as the API's `counts`. */
export function countsAsOf(reviews: readonly Review[], asOf: Date, hours = Infinity): Map<string, TypeCount[]> {
  const last = Math.floor(asOf.getTime() / 3_600_000);
  const comments = reviews.map(({ vendor, minute }) => ({ vendor, hour: Math.floor(minute / 60) }));
  const counts = new Map<string, TypeCount[]>();
  for (const [type, shares] of [
    ['LIKE', likeHours(reviews)],
    ['COMMENT', comments],
  ] as const) {
    const events = new Map<string, number>();
    for (const { vendor, hour } of shares) {
      if (hour <= last && hour > last - hours) events.set(vendor, (events.get(vendor) ?? 0) + 1);
    }
    for (const [vendor, count] of events) counts.set(vendor, [...(counts.get(vendor) ?? []), { type, count }]);
  }
  return counts;
}

export interface TypeCount {
  readonly type: 'LIKE' | 'COMMENT';
  readonly count: number;
}

interface Share {
  readonly vendor: string;
  readonly hour: number;
}

function rank(likes: Share[], hours: number, asOf: Date, likeWeight: number, comments: Share[]): RankedVendor[] {
  const last = Math.floor(asOf.getTime() / 3_600_000);
  const inWindow = ({ hour }: Share): boolean => hour <= last && (hours === -Infinity || hour > last - hours);
  const vendors = new Map<string, { score: number; people: number }>();
  const add = ({ vendor }: Share, weight: number): void => {
    const before = vendors.get(vendor) ?? { score: 0, people: 0 };
    vendors.set(vendor, { score: before.score + weight, people: before.people + 1 });
  };
  for (const like of likes) if (inWindow(like)) add(like, likeWeight);
  for (const comment of comments) if (inWindow(comment)) add(comment, 4);
  return [...vendors]
    .map(([vendor, { score, people }]) => ({ vendor, score, people }))
    .toSorted((a, b) => b.score - a.score || (a.vendor < b.vendor ? -1 : 1));
}

/** A reviewer counts once per vendor and clock hour. */
function commentHours(reviews: readonly Review[]): Share[] {
  const seen = new Map<string, Share>();
  for (const { reviewer, vendor, minute } of reviews) {
    const hour = Math.floor(minute / 60);
    seen.set(`${reviewer} ${vendor} ${hour}`, { vendor, hour });
  }
  return [...seen.values()];
}

/** A like stands since the first time it was given. */
function likeHours(reviews: readonly Review[]): Share[] {
  const first = new Map<string, { vendor: string; minute: number }>();
  for (const { reviewer, vendor, rating, minute } of reviews) {
    if (rating < 4) continue;
    const before = first.get(`${reviewer} ${vendor}`);
    if (before === undefined || minute < before.minute) first.set(`${reviewer} ${vendor}`, { vendor, minute });
  }
  return [...first.values()].map(({ vendor, minute }) => ({ vendor, hour: Math.floor(minute / 60) }));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [path = '', ...times] = process.argv.slice(2);
  const reviews = await readReviews(path);
  const all = [...countReviews(reviews).values()];
  const sum = (pick: (counts: VendorCounts) => number): number =>
    all.reduce((total, counts) => total + pick(counts), 0);
  console.log({
    rows: reviews.length,
    vendors: all.length,
    comments: sum(({ comments }) => comments),
    commenters: sum(({ commenters }) => commenters),
    likes: sum(({ likes }) => likes),
  });
  for (const time of times) {
    const asOf = new Date(time);
    console.log(time, 'most-liked', mostLiked(reviews, asOf).slice(0, 5));
    console.log(time, 'popular', popularInWeek(reviews, asOf).slice(0, 5));
  }
}
