import type { InteractionType } from '../interactions/interaction.ts';
import { INTERACTION_TYPES } from '../interactions/interaction.ts';
import { isCategory } from '../items/parse-item.ts';
import { PublicError } from '../runtime/errors.ts';
import type { CurrentRankings } from './current-rankings.ts';
import { decodeCursor, shapeOf, type RankedPosition } from './cursor.ts';
import { MAX_DEPTH } from './popularity-reader.ts';
import type { PopularityWindow, Ranking } from './ranking.ts';

/** What a client asks. */
export interface PopularArguments {
  readonly first: number;
  readonly after?: string | null;
  readonly ranking: string;
  readonly window?: PopularityWindow | null;
  readonly types?: readonly InteractionType[] | null;
  readonly category?: string | null;
  readonly asOf?: Date | null;
  /** Interactions of the viewer's own that the answer has to include. */
  readonly includes?: readonly string[] | null;
}

/** A question that can be answered. */
export interface PopularQuery {
  readonly ranking: Ranking;
  /** Null exactly for a ranking with a half-life. */
  readonly window: PopularityWindow | null;
  /** Null: all that the ranking counts. Empty: nothing it counts. */
  readonly types: readonly InteractionType[] | null;
  readonly category: string | null;
  /** Null: now. */
  readonly asOf: Date | null;
  readonly after: RankedPosition | null;
  /** Rows wanted, cut where the depth ends; may be 0. */
  readonly limit: number;
  /** Names the list that cursors are of. */
  readonly shape: string;
}

const MAX_PAGE = 100;
const MINUTES_KEPT_MS = 48 * 3_600_000;

/** @throws PublicError BAD_USER_INPUT */
export function parsePopularQuery(asked: PopularArguments, rankings: CurrentRankings, nowMs: number): PopularQuery {
  checkFirst(asked.first);
  const ranking = rankings.find(asked.ranking);
  if (ranking === undefined) throw badInput('There is no such ranking: `rankings` lists them.');
  const asOf = asked.asOf ?? null;
  const window = windowOf(ranking, asked.window ?? null);
  if (asOf !== null && asOf.getTime() > nowMs) throw badInput('`asOf` must not be in the future.');
  if (asOf !== null && window === 'HOUR' && asOf.getTime() < nowMs - MINUTES_KEPT_MS) {
    throw badInput('`asOf` with the window HOUR must be within the last 48 hours.');
  }
  const category = asked.category ?? null;
  if (category !== null && !isCategory(category)) throw badInput('`category` must be 1 to 256 characters.');
  const types = typesOf(ranking, asked.types ?? null);
  const shape = shapeOf([ranking.name, window, types, category, asOf === null ? null : asOf.getTime()]);
  const after = asked.after === undefined || asked.after === null ? null : decodeCursor(shape, asked.after);
  if (after === undefined) throw badInput('`after` is no cursor of this list.');
  const limit = Math.min(asked.first, MAX_DEPTH - (after?.rank ?? 0));
  return { ranking, window, types, category, asOf, after, limit, shape };
}

/** @throws PublicError BAD_USER_INPUT */
export function checkFirst(first: number): void {
  if (first < 1 || first > MAX_PAGE) throw badInput(`\`first\` must be 1 to ${MAX_PAGE}.`);
}

function badInput(message: string): PublicError {
  return new PublicError('BAD_USER_INPUT', message);
}

function windowOf(ranking: Ranking, asked: PopularityWindow | null): PopularityWindow | null {
  if (ranking.window !== null) return asked ?? ranking.window;
  if (asked !== null) throw badInput('`window` does not go with a ranking that has a half-life.');
  return null;
}

/** In the enum's order, so that the same question is always the same. */
function typesOf(ranking: Ranking, asked: readonly InteractionType[] | null): readonly InteractionType[] | null {
  if (asked === null) return null;
  if (asked.length === 0) throw badInput('`types` must not be empty.');
  const counted = INTERACTION_TYPES.filter((type) => asked.includes(type) && ranking.weights.has(type));
  return counted.length === ranking.weights.size ? null : counted;
}
