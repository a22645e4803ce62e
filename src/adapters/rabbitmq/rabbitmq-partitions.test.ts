import { expect, it } from 'vitest';
import { unpack } from './rabbitmq-packs.ts';
import { createRoutedPacker, layoutOf, partitionOf } from './rabbitmq-partitions.ts';

const message = (item: string, n = 0): Buffer => Buffer.from(JSON.stringify({ v: 1, item, n }));
const items = Array.from({ length: 20_000 }, (_, index) => `item-${index}`);

it('keeps the single queue as it was', () => {
  expect(layoutOf('q', 1)).toEqual({
    exchange: 'q',
    exchangeType: 'direct',
    queues: [{ name: 'q', routingKey: 'q' }],
  });
});

it('gives every partition a queue and a routing key of its own', () => {
  const { exchange, exchangeType, queues } = layoutOf('q', 64);
  expect([exchange, exchangeType]).toEqual(['q.partitions', 'x-consistent-hash']);
  expect(new Set(queues.map(({ name }) => name)).size).toBe(64);
  expect(new Set(queues.map(({ routingKey }) => routingKey)).size).toBe(64);
  expect(layoutOf('q', 4).queues).toEqual(queues.slice(0, 4));
});

it('spreads items evenly, within a tenth', () => {
  for (const partitions of [2, 3, 16]) {
    const counts = Array.from({ length: partitions }, () => 0);
    for (const item of items) {
      const partition = partitionOf(item, partitions);
      counts[partition] = (counts[partition] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count / (items.length / partitions) - 1)).toBeLessThan(0.1);
  }
});

it('moves items to the new partition only when there is one more', () => {
  const moved = items.filter((item) => partitionOf(item, 5) !== partitionOf(item, 4));
  expect(new Set(moved.map((item) => partitionOf(item, 5)))).toEqual(new Set([4]));
  expect(Math.abs(moved.length / (items.length / 5) - 1)).toBeLessThan(0.1);
});

it('packs what goes to one partition, of several callers, and tells each how many messages hold its own', () => {
  const packer = createRoutedPacker<string>(layoutOf('q', 4));
  const some = items.slice(0, 40);
  const counts = [
    packer.add(
      'ann',
      some.map((item) => message(item, 1)),
    ),
    packer.add('bob', [message('item-0', 2)]),
  ];
  const packs = packer.packs();
  expect(counts).toEqual([4, 1]);
  expect(packs).toHaveLength(4);
  const routes = new Map<string, string>();
  for (const { content, options, routingKey, owners } of packs) {
    const bodies = unpack(content, options).map((body) => JSON.parse(body.toString()));
    for (const { item } of bodies) {
      expect(routes.get(item) ?? routingKey).toBe(routingKey);
      routes.set(item, routingKey);
    }
    expect(owners.includes('bob')).toBe(bodies.some(({ n }) => n === 2));
  }
  expect(routes.size).toBe(some.length);
});

it('routes what is no message of ours too', () => {
  const packer = createRoutedPacker<string>(layoutOf('q', 4));
  for (const text of ['', 'not JSON', '{"item":7}', 'null']) expect(packer.add(text, [Buffer.from(text)])).toBe(1);
});
