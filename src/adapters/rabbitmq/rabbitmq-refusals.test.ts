import { expect, it } from 'vitest';
import { createRefusals, type Refusals } from './rabbitmq-refusals.ts';

function refusalsAt(): { refusals: Refusals; at(ms: number): Refusals } {
  let now = 0;
  const refusals = createRefusals(() => now);
  return {
    refusals,
    at(ms) {
      now = ms;
      return refusals;
    },
  };
}

it('a queue that refuses for a second, with no confirm between, is worth a new channel', () => {
  const { at } = refusalsAt();
  expect(at(5_000).refused('a')).toBe(false);
  expect(at(5_999).refused('a')).toBe(false);
  expect(at(6_000).refused('a')).toBe(true);
});

it('a full queue that takes one now and then is not', () => {
  const { at } = refusalsAt();
  for (let ms = 0; ms < 60_000; ms += 900) {
    expect(at(ms).refused('a')).toBe(false);
    at(ms + 400).confirmed('a');
  }
});

it('what one queue takes says nothing about another', () => {
  const { at } = refusalsAt();
  at(0).refused('a');
  at(500).confirmed('b');
  expect(at(1_000).refused('a')).toBe(true);
});

it('a new channel is tried less and less often, up to once a minute, while it does not help', () => {
  const { at } = refusalsAt();
  const tried: number[] = [];
  for (let ms = 0; ms < 300_000; ms += 100) {
    if (!at(ms).refused('a')) continue;
    at(ms).restart();
    tried.push(ms);
  }
  const gaps = tried.slice(1).map((ms, index) => ms - (tried[index] ?? 0));
  expect(gaps).toEqual([2_100, 4_100, 8_100, 16_100, 32_100, 60_100, 60_100, 60_100]);
});

it('a confirm ends that', () => {
  const { at } = refusalsAt();
  for (let ms = 0; ms < 60_000; ms += 100) if (at(ms).refused('a')) at(ms).restart();
  at(60_000).confirmed('a');
  expect(at(60_100).refused('a')).toBe(false);
  expect(at(61_100).refused('a')).toBe(true);
});

it('a new channel begins anew', () => {
  const { at } = refusalsAt();
  at(0).refused('a');
  at(900).restart();
  expect(at(1_500).refused('a')).toBe(false);
  expect(at(2_500).refused('a')).toBe(true);
});
