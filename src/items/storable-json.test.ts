import { describe, expect, it } from 'vitest';
import { checkJson } from './storable-json.ts';

describe('checkJson', () => {
  it('takes what JSON can say', () => {
    const value = { a: [1, -0.5, 1e308, true, null, 'ä', { b: '' }] };
    expect(checkJson(value, 4096)).toEqual({ ok: true, value });
    expect(checkJson(undefined, 4096)).toEqual({ ok: true, value: null });
  });

  it.each([
    ['a number that is not finite', { x: JSON.parse('1e400') }],
    ['NUL', ['a\0b']],
    ['NUL in a key', { 'a\0b': 1 }],
    ['half a surrogate pair', { x: ['\ud800'] }],
    ['a function', { x: () => 1 }],
  ])('refuses %s', (_, value) => {
    expect(checkJson(value, 4096)).toEqual({ ok: false, fault: 'INVALID' });
  });

  it('counts bytes as UTF-8', () => {
    expect(checkJson('ä'.repeat(2047), 4096)).toMatchObject({ ok: true });
    expect(checkJson('ä'.repeat(2048), 4096)).toEqual({ ok: false, fault: 'TOO_LARGE' });
  });

  it('bounds the depth', () => {
    const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
    expect(checkJson(nested(32), 4096)).toMatchObject({ ok: true });
    expect(checkJson(nested(33), 4096)).toEqual({ ok: false, fault: 'INVALID' });
    expect(checkJson(nested(5_000), 100_000)).toEqual({ ok: false, fault: 'INVALID' });
  });
});
