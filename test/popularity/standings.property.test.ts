import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPostgresEraser } from '../../src/adapters/postgres/postgres-eraser.ts';
import { createPostgresItemStore } from '../../src/adapters/postgres/postgres-item-store.ts';
import { createPostgresPopularityReader } from '../../src/adapters/postgres/postgres-popularity-reader.ts';
import { createPostgresRankingStore } from '../../src/adapters/postgres/postgres-ranking-store.ts';
import { createPostgresRecorder } from '../../src/adapters/postgres/postgres-recorder.ts';
import { createPostgresStandings } from '../../src/adapters/postgres/postgres-standings.ts';
import { derivedInteractionId, occurredAtMs } from '../../src/interactions/interaction-id.ts';
import {
  INTERACTION_TYPES,
  isReactionType,
  type Interaction,
  type InteractionType,
} from '../../src/interactions/interaction.ts';
import { encodeMessage } from '../../src/interactions/message.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { POPULARITY_WINDOWS, type Ranking } from '../../src/popularity/ranking.ts';
import { createMigratedDatabase } from '../migrated-database.ts';
import { query } from '../servers/query.ts';
import { createRecount } from './recount.ts';

const ITEMS = 24;
const VIEWERS = 7;
const CATEGORIES = [null, 'a', 'b'];
/** Small, so that lists are cut, fall short and are summed again all the time. */
const DEPTH = 4;
/** Small too, so that what was touched and what turned take several passes. */
const PER_PASS = { itemsPerPass: 10, turningPerPass: 1 };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** As of longer ago HOUR is not answered. */
const HOUR_ANSWERED_MS = 48 * HOUR;
const START = Date.parse('2026-09-28T21:37:12.345Z');

const SEED = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000);

/** How long before now something happened: at the edges of every window, a little ahead, or anywhere. */
const age = fc.oneof(
  fc.integer({ min: -4 * MINUTE, max: 3 * MINUTE }),
  fc
    .constantFrom(59, 60, 61, 23 * 60, 24 * 60, 25 * 60, 167 * 60, 168 * 60, 719 * 60, 720 * 60, 721 * 60)
    .map((m) => m * MINUTE),
  fc.integer({ min: 0, max: 3 * HOUR }),
  fc.integer({ min: 0, max: 29 * 24 * HOUR }),
);
const interaction = fc.record({
  item: fc.oneof(fc.nat(3), fc.nat(ITEMS - 1)),
  viewer: fc.nat(VIEWERS - 1),
  type: fc.constantFrom(...INTERACTION_TYPES),
  retraction: fc.boolean(),
  age,
});
/** How long after a step it is, and what is then asked for. */
const question = fc.record({
  laterMs: fc.constantFrom(0, MINUTE, 25 * MINUTE, HOUR, 2 * HOUR),
  types: fc.option(fc.subarray([...INTERACTION_TYPES], { minLength: 1 }), { freq: 2 }),
  /** Which worker makes each pass before it, over and over. */
  turns: fc.array(fc.nat(1), { minLength: 1, maxLength: 4 }),
  category: fc.constantFrom(...CATEGORIES),
  pastMs: fc.oneof(
    fc.constantFrom(HOUR, 24 * HOUR, 48 * HOUR, 49 * HOUR, 168 * HOUR),
    fc.integer({ min: 0, max: 48 * HOUR }),
    fc.integer({ min: 0, max: 31 * 24 * HOUR }),
  ),
});
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('record' as const),
      batch: fc.array(interaction, { minLength: 1, maxLength: 40 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(500, MINUTE, 7 * MINUTE, HOUR, 5 * HOUR, 26 * HOUR, 9 * 24 * HOUR),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'again' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hide' as const), item: fc.nat(3), hidden: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      item: fc.nat(ITEMS - 1),
      category: fc.constantFrom(...CATEGORIES),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('erase' as const), viewer: fc.nat(VIEWERS - 1) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('rank' as const),
      name: fc.constantFrom('trending', 'extra'),
      weight: fc.constantFrom(0.5, 2),
      halfLife: fc.constantFrom(null, 1, 36),
    }),
  },
);

test('standings, sums and counts are those of a plain recount, whatever happened', { timeout: 600_000 }, async () => {
  await using migrated = await createMigratedDatabase();
  const { database, server } = migrated;
  let run = 0;

  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, question), { minLength: 3, maxLength: 14 }), async (steps) => {
      run += 1;
      await query(
        server.url,
        `TRUNCATE items, interactions, people, reactions, minutes, hours, days, totals, touched,
        standing_lists, standings, standings_state, decay_anchors, erasures, rejected RESTART IDENTITY`,
      );
      let nowMs = START;
      const now = (): number => nowMs;
      const items = createPostgresItemStore(database);
      const recorder = createPostgresRecorder(database, now);
      const eraser = createPostgresEraser(database, now);
      const workers = [1, 2].map(() => createPostgresStandings({ database, now, depth: DEPTH, ...PER_PASS }));
      const reader = createPostgresPopularityReader({ ...database, read: database.primary }, now);
      const rankingStore = createPostgresRankingStore(database);

      const category = new Map<string, string | null>();
      const hidden = new Set<string>();
      let recorded: Interaction[] = [];
      let serial = 0;
      const idOf = (item: number): string => `item-${String(item).padStart(2, '0')}`;
      const upsert = async (item: number, to: string | null): Promise<void> => {
        category.set(idOf(item), to);
        await items.upsert([{ id: idOf(item), title: 'x', category: to, url: null, imageUrl: null, attributes: null }]);
      };
      for (let item = 0; item < ITEMS; item += 1) await upsert(item, CATEGORIES[item % CATEGORIES.length] ?? null);
      await rankingStore.replaceAll(SHIPPED);
      let last: Interaction[] = [];

      for (const [each, { laterMs, types, category: asked, pastMs, turns }] of steps) {
        if (each.do === 'wait') nowMs += each.ms;
        if (each.do === 'hide') {
          await items.hide([idOf(each.item)], each.hidden);
          if (each.hidden) hidden.add(idOf(each.item));
          else hidden.delete(idOf(each.item));
        }
        if (each.do === 'move') await upsert(each.item, each.category);
        if (each.do === 'erase') {
          const viewer = viewerKeyOf({ userId: String(each.viewer) });
          await eraser.erase(viewer);
          await query(server.url, 'TRUNCATE erasures');
          recorded = recorded.filter((one) => one.viewer !== viewer);
          last = last.filter((one) => one.viewer !== viewer);
        }
        if (each.do === 'rank') {
          const changed: Ranking = {
            name: each.name,
            description: 'x',
            counts: 'people',
            weights: new Map([
              ['VIEW', each.weight],
              ['LIKE', 3],
            ]),
            window: each.halfLife === null ? 'DAY' : null,
            halfLifeHours: each.halfLife,
          };
          await rankingStore.replaceAll([...SHIPPED.filter(({ name }) => name !== each.name), changed]);
        }
        if (each.do === 'record') {
          last = each.batch.map((one): Interaction => {
            const viewer = viewerKeyOf({ userId: String(one.viewer) });
            const id = derivedInteractionId(nowMs - one.age, `${run}/${(serial += 1)}`);
            const retraction = one.retraction && isReactionType(one.type);
            return {
              id,
              viewer,
              itemId: idOf(one.item),
              type: one.type,
              retraction,
              metadata: null,
              acceptedAtMs: nowMs,
            };
          });
        }
        if (each.do === 'record' || each.do === 'again') {
          const result = await recorder.record(
            last.map((one) => ({ interaction: one, body: encodeMessage(one), outboxSeq: null })),
          );
          const known = new Set(recorded.map(({ id }) => id));
          const fresh = last.filter(({ id }) => !known.has(id)).toSorted((a, b) => (a.id < b.id ? -1 : 1));
          expect(result.recorded).toBe(fresh.length);
          expect(result.duplicates).toBe(last.length - fresh.length);
          recorded.push(...fresh);
        }
        nowMs += laterMs;
        // Whose turn it is takes over what the other has left, or goes on with its own.
        for (let pass = 0, more = true; more; pass += 1) {
          const worker = workers[turns[pass % turns.length] ?? 0];
          if (worker === undefined) throw new Error('no worker');
          more = (await worker.refresh()).more;
        }

        const recount = createRecount(recorded);
        for (const ranking of await rankingStore.list()) {
          for (const window of ranking.halfLifeHours === null ? POPULARITY_WINDOWS : [null]) {
            for (const among of CATEGORIES) {
              const isIn = (id: string): boolean => !hidden.has(id) && (among === null || category.get(id) === among);
              const expected = recount.rank(ranking, window, nowMs, isIn);
              const page = await reader.standings(ranking, window, among, null, DEPTH);
              const label = `${ranking.name} ${window ?? 'decay'} ${among ?? 'all'} at ${new Date(nowMs).toISOString()}`;
              expect(page?.asOf.getTime(), label).toBe(nowMs);
              expect(page?.items.map(comparable), label).toEqual(expected.slice(0, DEPTH).map(comparable));
              const summed = await reader.sum({ ranking, window, types, category: among, asOf: new Date(nowMs) });
              const ofTypes = recount.rank(narrowed(ranking, types), window, nowMs, isIn);
              expect(summed.items.map(comparable), `sum of ${label}, ${types?.join() ?? 'its own types'}`).toEqual(
                ofTypes.map(comparable),
              );
            }
          }
        }
        const ids = [...category.keys()];
        for (const window of POPULARITY_WINDOWS) {
          const counts = await reader.counts(ids, window, new Date(nowMs));
          for (const id of ids)
            expect([...(counts.get(id) ?? [])], `${id} ${window}`).toEqual(recount.counts(id, window, nowMs));
        }
        const isAsked = (id: string): boolean => !hidden.has(id) && (asked === null || category.get(id) === asked);
        for (const ranking of await rankingStore.list()) {
          for (const window of ranking.halfLifeHours === null ? POPULARITY_WINDOWS : [null]) {
            const asOfMs = nowMs - (window === 'HOUR' ? Math.min(pastMs, HOUR_ANSWERED_MS) : pastMs);
            const asOf = new Date(asOfMs);
            const past = await reader.sum({ ranking, window, types, category: asked, asOf });
            const expected = recount.rank(narrowed(ranking, types), window, asOfMs, isAsked);
            const label = `${ranking.name} ${window ?? 'decay'} ${asked ?? 'all'} as of ${asOf.toISOString()}`;
            expect(past.items.map(comparable), label).toEqual(expected.map(comparable));
          }
        }
      }
      expect(recorded.every((one) => occurredAtMs(one.id) <= nowMs + 5 * MINUTE)).toBe(true);
    }),
    {
      seed: SEED,
      numRuns: Number(process.env['PROPERTY_RUNS'] ?? 12),
      endOnFailure: process.env['PROPERTY_SHRINK'] === undefined,
    },
  );
});

/** The ranking as if it weighed these types alone. */
function narrowed(ranking: Ranking, types: readonly InteractionType[] | null): Ranking {
  if (types === null) return ranking;
  return { ...ranking, weights: new Map([...ranking.weights].filter(([type]) => types.includes(type))) };
}

function comparable(item: { itemId: string; score: number; people: number }): unknown {
  return { itemId: item.itemId, people: item.people, score: Number(item.score.toPrecision(6)) };
}

const PEOPLE_WEIGHTS = new Map([
  ['VIEW', 1],
  ['LIKE', 3],
  ['SAVE', 4],
  ['SHARE', 5],
  ['COMMENT', 4],
  ['PURCHASE', 10],
] as const);
const SHIPPED: Ranking[] = [
  { name: 'popular', description: 'x', counts: 'people', weights: PEOPLE_WEIGHTS, window: 'WEEK', halfLifeHours: null },
  { name: 'trending', description: 'x', counts: 'people', weights: PEOPLE_WEIGHTS, window: null, halfLifeHours: 24 },
  {
    name: 'most-liked',
    description: 'x',
    counts: 'people',
    weights: new Map([['LIKE', 1]]),
    window: 'ALL_TIME',
    halfLifeHours: null,
  },
  {
    name: 'most-viewed',
    description: 'x',
    counts: 'events',
    weights: new Map([['VIEW', 1]]),
    window: 'DAY',
    halfLifeHours: null,
  },
];
