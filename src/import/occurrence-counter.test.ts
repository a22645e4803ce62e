import { expect, it } from 'vitest';
import { createOccurrenceCounter } from './occurrence-counter.ts';

it('numbers equal hashes from 1, through growth and collisions of slots', () => {
  const counter = createOccurrenceCounter();
  const hashes = Array.from({ length: 200_000 }, (_, n) => 1 + n * 22_605_091 + (n % 3));
  expect(hashes.every((hash) => counter.next(hash) === 1)).toBe(true);
  expect(hashes.every((hash) => counter.next(hash) === 2)).toBe(true);
  expect(counter.next(1)).toBe(3);
  expect(counter.next(2 ** 52)).toBe(1);
});
