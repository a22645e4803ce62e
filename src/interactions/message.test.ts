import { expect, it } from 'vitest';
import { newInteractionId } from './interaction-id.ts';
import type { Interaction } from './interaction.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE_BYTES, traceparentOf, withTraceparent } from './message.ts';
import { viewerKeyOf } from './viewer-key.ts';

const INTERACTION: Interaction = {
  id: newInteractionId(),
  itemId: 'a',
  viewer: viewerKeyOf({ userId: 'ann' }),
  type: 'LIKE',
  retraction: true,
  metadata: { from: 'test' },
  acceptedAtMs: 1_795_000_000_000,
};
const raw = (change: Record<string, unknown>): Buffer =>
  Buffer.from(JSON.stringify({ ...JSON.parse(encodeMessage(INTERACTION).toString()), ...change }));

it('what was encoded is decoded, and unknown fields are no matter', () => {
  expect(decodeMessage(encodeMessage(INTERACTION))).toEqual({ ok: true, interaction: INTERACTION });
  expect(decodeMessage(raw({ later: 1 }))).toEqual({ ok: true, interaction: INTERACTION });
  const plain = { ...INTERACTION, retraction: false, metadata: null };
  expect(decodeMessage(encodeMessage(plain))).toEqual({ ok: true, interaction: plain });
});

it('a message carries its trace where there are no headers, and is the same interaction', () => {
  const traceparent = `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01`;
  const traced = withTraceparent(encodeMessage(INTERACTION), traceparent);
  expect(traceparentOf(traced)).toBe(traceparent);
  expect(decodeMessage(traced)).toEqual({ ok: true, interaction: INTERACTION });
});

it.each([
  ['a message without one', encodeMessage(INTERACTION)],
  ['nothing', Buffer.alloc(0)],
  ['a long text that ends as one', Buffer.from(`${'x'.repeat(80)}"}`)],
  ['one of another length', raw({ traceparent: '00-a' })],
])('%s has no trace', (_, body) => {
  expect(traceparentOf(body)).toBeNull();
});

it('what is no object is left as it is', () => {
  expect(withTraceparent(Buffer.from('[]'), 'x').toString()).toBe('[]');
});

it('a version to come is told from a message that is wrong', () => {
  expect(decodeMessage(raw({ v: 2, type: 'DANCE' }))).toMatchObject({ ok: false, reason: 'NEWER_VERSION' });
});

it.each([
  ['no JSON', Buffer.from('{')],
  ['no UTF-8', Buffer.from([0xff, 0xfe])],
  ['an array', Buffer.from('[]')],
  ['null', Buffer.from('null')],
  ['no version', raw({ v: undefined })],
  ['a version that is no number', raw({ v: '1' })],
  ['an id that is no UUIDv7', raw({ id: '6f9619ff-8b86-4011-b42d-00cf4fc964ff' })],
  ['no item', raw({ item: '' })],
  ['an item with NUL', raw({ item: 'a\0' })],
  ['an unknown type', raw({ type: 'DANCE' })],
  ['a retraction of a view', raw({ type: 'VIEW' })],
  ['no viewer', raw({ viewer: 'ann' })],
  ['metadata with NUL', raw({ metadata: { a: '\0' } })],
  ['metadata with half a surrogate pair', raw({ metadata: '\ud800' })],
  [
    'metadata without end',
    Buffer.from(
      raw({})
        .toString()
        .replace('{"from":"test"}', '['.repeat(9_000) + ']'.repeat(9_000)),
    ),
  ],
  ['more bytes than any message has', raw({ metadata: 'x'.repeat(MAX_MESSAGE_BYTES) })],
  ['no time', raw({ at: -1 })],
])('%s is invalid', (_, body) => {
  expect(decodeMessage(body)).toMatchObject({ ok: false, reason: 'INVALID_MESSAGE' });
});
