import { expect, test } from 'vitest';
import { createPrimaryTrail } from './primary-trail.ts';

test('a replica is behind since the first position that it has not reached', () => {
  const trail = createPrimaryTrail();
  expect(trail.behindMs(0, 1_000)).toBe(0);
  trail.add(100, 1_000);
  trail.add(100, 1_500);
  trail.add(200, 2_000);
  trail.add(300, 2_500);
  expect(trail.behindMs(300, 3_000)).toBe(0);
  expect(trail.behindMs(299, 3_000)).toBe(500);
  expect(trail.behindMs(100, 3_000)).toBe(1_000);
  expect(trail.behindMs(99, 3_000)).toBe(2_000);
});

test('what a primary had that is no more counts for nothing', () => {
  const trail = createPrimaryTrail();
  trail.add(300, 1_000);
  trail.add(250, 2_000);
  expect(trail.behindMs(250, 3_000)).toBe(0);
  expect(trail.behindMs(249, 3_000)).toBe(1_000);
});
