import { expect, it } from 'vitest';
import { createPacker, MAX_BODIES_PER_PACK, unpack, type Pack } from './rabbitmq-packs.ts';

function pack(...calls: readonly (readonly string[])[]): { packs: readonly Pack<number>[]; counts: number[] } {
  const packer = createPacker<number>();
  const counts = calls.map((texts, owner) => packer.add(owner, texts.map(toBuffer)));
  return { packs: packer.packs(), counts };
}
const toBuffer = (text: string): Buffer => Buffer.from(text);
const bodiesOf = ({ content, options }: Pack<number>): string[] => unpack(content, options).map(String);

it('puts the bodies of several callers into one message, in order', () => {
  const { packs, counts } = pack(['a', 'b'], ['c']);
  expect(packs.map(bodiesOf)).toEqual([['a', 'b', 'c']]);
  expect(packs.map(({ owners }) => owners)).toEqual([[0, 1]]);
  expect(counts).toEqual([1, 1]);
});

it('leaves a single body as it is, under the type that anybody would give it', () => {
  const { packs } = pack(['{"v":1}']);
  expect(packs[0]?.content.toString()).toBe('{"v":1}');
  expect(packs[0]?.options.contentType).toBe('application/json');
});

it('begins another message when one is full, and tells a caller how many hold some of its bodies', () => {
  const { packs, counts } = pack(
    ['first'],
    Array.from({ length: 2 * MAX_BODIES_PER_PACK }, (_, index) => `${index}`),
  );
  expect(packs.map((each) => bodiesOf(each).length)).toEqual([MAX_BODIES_PER_PACK, MAX_BODIES_PER_PACK, 1]);
  expect(counts).toEqual([1, 3]);
});

it('bounds a message by its bytes', () => {
  const large = 'x'.repeat(20_000);
  expect(pack([large, large, 'small']).packs.map((each) => bodiesOf(each).length)).toEqual([1, 2]);
});

it('gives a body with a line break, or none at all, a message of its own', () => {
  const { packs, counts } = pack(['a', 'b\nb', '', 'c']);
  expect(packs.map(({ content, options }) => [content.toString(), options.contentType])).toEqual([
    ['a', 'application/json'],
    ['b\nb', 'application/json'],
    ['', 'application/json'],
    ['c', 'application/json'],
  ]);
  expect(counts).toEqual([4]);
});

it('tells of each body which trace it is part of, in each message anew', () => {
  const packer = createPacker<number>();
  packer.add(0, [toBuffer('a')], null);
  packer.add(1, [toBuffer('b')], 'trace 1');
  packer.add(
    2,
    Array.from({ length: MAX_BODIES_PER_PACK }, () => toBuffer('c')),
    'trace 2',
  );
  packer.add(3, [toBuffer('d\n')], null);
  const [first, second, third] = packer.packs().map(({ options }) => options.headers);
  expect(first).toMatchObject({ traceparent: 'trace 1' });
  expect(first?.traceparents?.slice(0, 4)).toEqual(['', 'trace 1', 'trace 2', 'trace 2']);
  expect(second).toEqual({ traceparent: 'trace 2' });
  expect(third).toBeUndefined();
  expect(pack(['a', 'b']).packs[0]?.options).not.toHaveProperty('headers');
});

it('reads what others publish: lines with and without a last break, empty ones skipped, other types whole', () => {
  const lines = (text: string, contentType: string): string[] => unpack(Buffer.from(text), { contentType }).map(String);
  expect(lines('a\n\nb\n', 'application/x-ndjson')).toEqual(['a', 'b']);
  expect(lines('\n', 'application/x-ndjson')).toEqual([]);
  expect(lines('a\nb', 'application/json')).toEqual(['a\nb']);
  expect(unpack(Buffer.from('a\nb'), { contentType: undefined }).map(String)).toEqual(['a\nb']);
});
