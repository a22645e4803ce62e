import { expect, it } from 'vitest';
import { parseRankings, rankingsToJson } from './parse-rankings.ts';

const HOT = { name: 'hot', description: 'Hot.', weights: { LIKE: 2, VIEW: 1 }, counts: 'people', halfLifeHours: 6 };
const TOP = { name: 'top', description: 'Top.', weights: { PURCHASE: 1 }, counts: 'events', window: 'MONTH' };

it('reads what it writes', () => {
  const parsed = parseRankings([HOT, TOP]);
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'));
  expect(parsed.rankings[0]).toEqual({
    name: 'hot',
    description: 'Hot.',
    weights: new Map([
      ['VIEW', 1],
      ['LIKE', 2],
    ]),
    counts: 'people',
    window: null,
    halfLifeHours: 6,
  });
  expect(parseRankings(JSON.parse(rankingsToJson(parsed.rankings)))).toEqual(parsed);
});

it.each([
  [{}, 'expected array'],
  [[], 'at least one ranking'],
  [[HOT, HOT], 'two rankings have the same name'],
  [[{ ...HOT, name: 'Hot!' }], 'ranking 1 ("Hot!"), name: lower-case letters'],
  [[HOT, { ...TOP, weights: {} }], 'ranking 2 ("top"), weights: at least one type'],
  [[{ ...HOT, weights: { HATE: 1 } }], 'ranking 1 ("hot"), weights'],
  [[{ ...HOT, weights: { LIKE: 0 } }], 'ranking 1 ("hot"), weights.LIKE:'],
  [[{ ...HOT, window: 'DAY' }], 'ranking 1 ("hot"): exactly one of window and halfLifeHours'],
  [[{ ...HOT, halfLifeHours: 0.0005 }], 'ranking 1 ("hot"), halfLifeHours:'],
  [[{ ...TOP, window: 'YEAR' }], 'ranking 1 ("top"), window:'],
  [[{ ...TOP, extra: 1 }], 'extra'],
  [[{ ...HOT, counts: undefined }], 'ranking 1 ("hot"), counts:'],
])('%j is told: %s', (json, fault) => {
  const parsed = parseRankings(json);
  expect(parsed.ok ? [] : parsed.faults).toContainEqual(expect.stringContaining(fault));
});

it('every fault is named, not only the first', () => {
  const parsed = parseRankings([
    { ...HOT, counts: 'x', description: '' },
    { ...TOP, name: '' },
  ]);
  expect(parsed.ok ? [] : parsed.faults).toHaveLength(3);
});
