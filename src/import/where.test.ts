import { expect, it } from 'vitest';
import { parseCondition } from './where.ts';

it.each([
  ['rating>=4', '4', true],
  ['rating>=4', '10', true],
  ['rating >= 4', '3.9', false],
  ['rating=4', '4.0', true],
  ['rating!=4', '4', false],
  ['rating<4', '', false],
  ['rating<4', 'none', false],
  ['rating!=4', 'none', true],
  ["country='DE'", 'DE', true],
  ['country != DE', 'FR', true],
  ['date>=2006-05-01', '2006-04-30 23:59', false],
  ['date>=2006-05-01', '2006-05-01 00:00', true],
  ['note=', '', true],
])('%s of %j is %s', (text, value, expected) => {
  expect(parseCondition(text)?.matches(value)).toBe(expected);
});

it('names the column', () => {
  expect(parseCondition(' user rating >= 4')?.column).toBe('user rating');
});

it.each(['', 'rating', '>=4', 'rating 4'])('%j is no condition', (text) => {
  expect(parseCondition(text)).toBeUndefined();
});
