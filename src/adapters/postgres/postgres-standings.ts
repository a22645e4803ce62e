import { MAX_DEPTH } from '../../popularity/popularity-reader.ts';
import { POPULARITY_WINDOWS } from '../../popularity/ranking.ts';
import type { StandingsRefresher } from '../../popularity/standings.ts';
import { dropAnchors } from './decay-anchors.ts';
import { bucketsOf, type Period } from './popularity-sql.ts';
import { toRanking } from './postgres-ranking-store.ts';
import type { Database, Transaction } from './prisma-database.ts';
import {
  REFRESH_LOCK,
  ensureLists,
  followRankings,
  listLengths,
  refillLists,
  rescoreItems,
  trimLists,
} from './standings-lists.ts';
import { findTurn, type Turn } from './standings-turns.ts';

/** Items rescored in one pass; 210 take 0.09 s on an idle machine. */
const ITEMS_PER_PASS = 1_000;
/** Of those, for buckets that leave or enter, after what was touched. */
const TURNING_PER_PASS = 500;
/** Filling every list from nothing, once, may take long; it must not start over and over. */
const PASS_TIMEOUT_MS = 600_000;
const PERIODS: readonly Period[] = [...POPULARITY_WINDOWS, 'DECAY'];

export interface StandingsOptions {
  readonly database: Database;
  /** The time, ms since the epoch; the primary's clock when left out. */
  readonly now?: () => number;
  /** How deep the lists can be paged. */
  readonly depth?: number;
  /** Items touched, and items of buckets that turned, which one pass takes at most. */
  readonly itemsPerPass?: number;
  readonly turningPerPass?: number;
}

const NOT_LED = { led: false, touchedItems: 0, more: false, asOf: undefined, turn: null };

interface State {
  readonly now: Date;
  readonly as_of: Date;
  readonly minute_done: number;
  readonly hour_done: number;
  readonly rankings_hash: string;
  /** The last pass was one that keeps anchors: a worker of an older version does not, nor does a dump that was restored. */
  readonly anchored: boolean;
}

/** Keeps the standings tables ready. Each pass is one transaction, so readers see whole passes. */
export function createPostgresStandings(options: StandingsOptions): StandingsRefresher {
  const { database, now, depth = MAX_DEPTH } = options;
  const { itemsPerPass = ITEMS_PER_PASS, turningPerPass = TURNING_PER_PASS } = options;
  const lengths = listLengths(depth);
  // What is left of the buckets that turned; the marks in the state row move on when it is worked off, so that
  // another worker can take over at any time.
  let turn: Turn | null = null;

  async function pass(tx: Transaction, restMs: number) {
    // As while recording: what a pass sums is estimated dear, and compiling it would take longer than it does.
    const [lock] = await tx.$queryRaw<{ led: boolean }[]>`
      SELECT pg_try_advisory_xact_lock(${REFRESH_LOCK}) AS led, set_config('jit', 'off', true)`;
    if (lock?.led !== true) return NOT_LED;
    const state = await readState(tx, now);
    const ageMs = state.now.getTime() - state.as_of.getTime();
    if (turn === null && ageMs >= 0 && ageMs < restMs) return NOT_LED;
    const rankings = (await tx.ranking.findMany({ orderBy: { position: 'asc' } })).map(toRanking);
    const buckets = bucketsOf(state.now.getTime(), state.now.getTime());
    const rankingsHash = await followRankings(tx, rankings, state.rankings_hash);
    if (!state.anchored) await dropAnchors(tx, []);

    const touched = await takeTouched(tx, itemsPerPass);
    await ensureLists(tx, rankings, touched.keys);
    const resized = new Set<number>();
    const rescore = async (
      periods: readonly Period[],
      keys: readonly bigint[],
      stale: readonly bigint[] = [],
    ): Promise<void> => {
      for (const list of await rescoreItems(tx, periods, rankings, buckets, keys, stale)) resized.add(list);
    };
    await rescore(PERIODS, touched.keys, touched.stale);

    const marks = { minute: state.minute_done, hour: state.hour_done };
    const resumed = turn !== null && turn.from.minute === marks.minute && turn.from.hour === marks.hour ? turn : null;
    const current = resumed ?? (await findTurn(tx, marks, buckets));
    const left = await workOff(current, turningPerPass, rescore);

    await trimLists(tx, [...resized], lengths);
    await refillLists(tx, rankings, buckets, current.stale, [...resized], lengths);
    const done = left === null ? current.to : marks;
    // The first pass sums all there is, whatever is still to be rescored.
    const isFirst = state.as_of.getTime() === 0;
    const asOf = touched.more && !isFirst ? state.as_of : state.now;
    await tx.$executeRaw`
      UPDATE standings_state SET as_of = ${asOf}, rankings_hash = ${rankingsHash}, minute_done = ${done.minute},
        hour_done = ${done.hour}, anchored_xid = pg_current_xact_id()::xid`;
    return { led: true, touchedItems: touched.keys.length, more: touched.more || left !== null, asOf, turn: left };
  }

  return {
    async refresh(restMs = 0) {
      const { turn: left, ...result } = await database.transaction((tx) => pass(tx, restMs), PASS_TIMEOUT_MS);
      turn = left;
      return result;
    },
    async asOf() {
      const state = await database.primary((client) => client.standingsState.findFirst({ select: { asOf: true } }));
      return state?.asOf ?? null;
    },
  };
}

/** Rescores as much as one pass takes; what is left, or null. */
async function workOff(
  turn: Turn,
  most: number,
  rescore: (periods: readonly Period[], keys: readonly bigint[]) => Promise<void>,
): Promise<Turn | null> {
  const due = new Map(turn.due);
  let room = most;
  for (const [period, keys] of turn.due) {
    const part = keys.slice(0, room);
    room -= part.length;
    await rescore([period], part);
    if (part.length === keys.length) due.delete(period);
    else due.set(period, keys.slice(part.length));
    if (room === 0) break;
  }
  return due.size === 0 ? null : { ...turn, due, stale: [] };
}

/** Makes the state row on the first pass ever, when every list is yet to be filled. */
async function readState(tx: Transaction, now: (() => number) | undefined): Promise<State> {
  const read = (): Promise<State[]> => tx.$queryRaw`
    SELECT clock_timestamp() AS now, as_of, minute_done, hour_done, rankings_hash, coalesce(xmin = anchored_xid, false) AS anchored
    FROM standings_state`;
  let [state] = await read();
  if (state === undefined) {
    await tx.$executeRaw`INSERT INTO standings_state (as_of, minute_done, hour_done) VALUES ('epoch', 0, 0)`;
    [state] = await read();
  }
  if (state === undefined) throw new Error('standings_state is empty');
  return now === undefined ? state : { ...state, now: new Date(now()) };
}

/** The items of the oldest touched rows, as many as one pass takes. */
async function takeTouched(tx: Transaction, most: number): Promise<{ keys: bigint[]; stale: bigint[]; more: boolean }> {
  const rows = await tx.$queryRaw<{ seq: bigint; item_keys: bigint[]; past_keys: bigint[] | null }[]>`
    SELECT seq, item_keys, past_keys FROM touched ORDER BY seq LIMIT 200`;
  const keys = new Set<bigint>();
  const stale = new Set<bigint>();
  const seqs: bigint[] = [];
  for (const { seq, item_keys, past_keys } of rows) {
    // Batches mostly touch what the one before has touched.
    const added = item_keys.filter((key) => !keys.has(key)).length;
    if (seqs.length > 0 && keys.size + added > most) break;
    for (const key of item_keys) keys.add(key);
    for (const key of past_keys ?? item_keys) stale.add(key);
    seqs.push(seq);
  }
  await tx.$executeRaw`DELETE FROM touched WHERE seq = ANY(${seqs}::bigint[])`;
  return { keys: [...keys], stale: [...stale], more: seqs.length < rows.length || rows.length === 200 };
}
