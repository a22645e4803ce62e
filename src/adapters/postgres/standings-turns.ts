import { hoursIn, MINUTES_IN_HOUR, type Buckets, type Period } from './popularity-sql.ts';
import type { Transaction } from './prisma-database.ts';
import { Prisma } from '../generated/prisma/client.ts';

interface Marks {
  readonly minute: number;
  readonly hour: number;
}

/** A clock that moved on: buckets have left windows, and what was dated ahead has entered them. */
export interface Turn {
  readonly from: Marks;
  readonly to: Marks;
  /** Items to rescore, by period. */
  readonly due: ReadonlyMap<Period, readonly bigint[]>;
  /** Periods of which nothing is left, or whose clock went back: to be summed again. */
  readonly stale: readonly Period[];
}

/** Of periods without a span: from here on summing again is cheaper. */
const MAX_BUCKETS_CAUGHT_UP = 60;
const HOURLY: readonly Period[] = ['DAY', 'WEEK', 'MONTH', 'ALL_TIME', 'DECAY'];

/** What is due since the marks. Of the leaving, only items in a standing matter: the others can but fall further. */
export async function findTurn(tx: Transaction, from: Marks, to: Buckets): Promise<Turn> {
  const due = new Map<Period, readonly bigint[]>();
  const stale: Period[] = [];

  async function turn(
    period: Period,
    table: 'minutes' | 'hours',
    before: number,
    after: number,
    span: number | null,
  ): Promise<void> {
    if (before === after) return;
    if (after < before || after - before >= (span ?? MAX_BUCKETS_CAUGHT_UP)) {
      stale.push(period);
      return;
    }
    const column = Prisma.raw(table.slice(0, -1));
    const leaving =
      span === null
        ? Prisma.empty
        : Prisma.sql`
          UNION
          SELECT r.item_key FROM ${Prisma.raw(table)} r
          WHERE r.${column} BETWEEN ${before - span + 1} AND ${after - span} AND (
            SELECT true FROM standings s JOIN standing_lists l ON l.id = s.list_id
            WHERE s.item_key = r.item_key AND l.period = ${period}::standing_period LIMIT 1)`;
    const rows = await tx.$queryRaw<{ item_key: bigint }[]>`
      SELECT r.item_key FROM ${Prisma.raw(table)} r WHERE r.${column} BETWEEN ${before + 1} AND ${after} ${leaving}`;
    const keys = [...new Set(rows.map(({ item_key }) => item_key))];
    if (keys.length > 0) due.set(period, keys);
  }

  await turn('HOUR', 'minutes', from.minute, to.minute, MINUTES_IN_HOUR);
  for (const period of HOURLY) await turn(period, 'hours', from.hour, to.hour, hoursIn(period) ?? null);
  return { from, to: { minute: to.minute, hour: to.hour }, due, stale };
}
