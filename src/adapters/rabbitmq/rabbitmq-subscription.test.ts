import { expect, it } from 'vitest';
import { beyondFairShare } from './rabbitmq-subscription.ts';

const active = [3, 1, 2, 4].map((activeSince) => ({ activeSince }));
const beyond = (partitions: number, workers: number): number[] =>
  beyondFairShare(active, { partitions, workers }).map(({ activeSince }) => activeSince);

it('gives up what came last, down to an even share', () => {
  expect(beyond(4, 2)).toEqual([3, 4]);
  expect(beyond(4, 4)).toEqual([2, 3, 4]);
});

it('keeps the larger part where the shares cannot be even', () => {
  expect(beyond(4, 3)).toEqual([3, 4]);
  expect(beyond(16, 3)).toEqual([]);
});

it('gives up nothing alone, nor while no worker is to be seen', () => {
  expect(beyond(4, 1)).toEqual([]);
  expect(beyond(4, 0)).toEqual([]);
});
