import { expect, it } from 'vitest';
import { readTraceHeaders, traceHeadersOf } from './rabbitmq-trace-headers.ts';

const A = `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01`;
const B = `00-${'b'.repeat(32)}-${'2'.repeat(16)}-01`;

function carried(traced: readonly (readonly [number, string])[], bodies: number): (string | null)[] {
  const headers = traceHeadersOf(new Map(traced), bodies);
  return Array.from({ length: bodies }, (_, position) => readTraceHeaders({ ...headers })(position));
}

it('each body keeps its own trace, and those that have none get none', () => {
  expect(
    carried(
      [
        [1, A],
        [2, B],
      ],
      4,
    ),
  ).toEqual([null, A, B, null]);
  expect(carried([[0, A]], 2)).toEqual([A, null]);
});

it('a message of one trace has the standard header alone', () => {
  expect(
    traceHeadersOf(
      new Map([
        [0, A],
        [1, A],
      ]),
      2,
    ),
  ).toEqual({ traceparent: A });
  expect(
    carried(
      [
        [0, A],
        [1, A],
      ],
      2,
    ),
  ).toEqual([A, A]);
});

it('a message of several has that of the first in the standard header, for consumers that know no other', () => {
  expect(traceHeadersOf(new Map([[1, B]]), 2)).toEqual({ traceparent: B, traceparents: ['', B] });
});

it('a message of none has no header', () => {
  expect(traceHeadersOf(new Map(), 3)).toBeUndefined();
});

it.each([
  ['no headers', undefined],
  ['a trace that is no text', { traceparent: 7 }],
  ['a list without its first', { traceparents: [A] }],
  ['a list of something else', { traceparent: A, traceparents: [7, null] }],
])('%s is no trace', (_, headers) => {
  const read = readTraceHeaders(headers);
  expect([read(0), read(1), read(99)]).toEqual([null, null, null]);
});

it('what others publish with the standard header alone is traced', () => {
  expect(readTraceHeaders({ traceparent: A })(0)).toBe(A);
});
