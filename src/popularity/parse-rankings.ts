import { z } from 'zod';
import { INTERACTION_TYPES, type InteractionType } from '../interactions/interaction.ts';
import { POPULARITY_WINDOWS, type Ranking } from './ranking.ts';

const ranking = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,63}$/, 'lower-case letters, digits and dashes, a letter first, at most 64'),
    description: z.string().trim().min(1).max(1_000),
    weights: z
      .partialRecord(z.enum(INTERACTION_TYPES), z.number().positive().max(1_000_000))
      .refine((weights) => Object.keys(weights).length > 0, 'at least one type'),
    counts: z.enum(['people', 'events']),
    window: z.enum(POPULARITY_WINDOWS).nullish(),
    // A minute: below some seconds a step of an hour is none that Postgres can tell from zero.
    halfLifeHours: z
      .number()
      .min(1 / 60)
      .max(87_600)
      .nullish(),
  })
  .refine((one) => isSet(one.window) !== isSet(one.halfLifeHours), 'exactly one of window and halfLifeHours');

const rankings = z
  .array(ranking)
  .min(1, 'at least one ranking')
  .max(100)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'two rankings have the same name');

export type ParsedRankings =
  | { readonly ok: true; readonly rankings: readonly Ranking[] }
  /** One for each thing that is wrong, with its place. */
  | { readonly ok: false; readonly faults: readonly string[] };

/** The whole set of rankings as it stands in a file. */
export function parseRankings(json: unknown): ParsedRankings {
  const parsed = rankings.safeParse(json);
  if (!parsed.success) {
    return { ok: false, faults: parsed.error.issues.map(({ path, message }) => `${placeOf(json, path)}${message}`) };
  }
  return {
    ok: true,
    rankings: parsed.data.map(({ weights, window, halfLifeHours, ...rest }) => ({
      ...rest,
      weights: new Map<InteractionType, number>(
        INTERACTION_TYPES.flatMap((type) => (weights[type] === undefined ? [] : [[type, weights[type]] as const])),
      ),
      window: window ?? null,
      halfLifeHours: halfLifeHours ?? null,
    })),
  };
}

/** The other way: a file that says the same. */
export function rankingsToJson(all: readonly Ranking[]): string {
  const plain = all.map(({ weights, window, halfLifeHours, ...rest }) => ({
    ...rest,
    weights: Object.fromEntries(weights),
    ...(window === null ? { halfLifeHours } : { window }),
  }));
  return `${JSON.stringify(plain, null, 2)}\n`;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function placeOf(json: unknown, path: readonly PropertyKey[]): string {
  const [index, ...rest] = path;
  if (typeof index !== 'number') return '';
  const one: unknown = Array.isArray(json) ? json[index] : undefined;
  const name: unknown = one instanceof Object ? Reflect.get(one, 'name') : undefined;
  const which = typeof name === 'string' ? `ranking ${index + 1} (${JSON.stringify(name)})` : `ranking ${index + 1}`;
  return rest.length === 0 ? `${which}: ` : `${which}, ${rest.join('.')}: `;
}
