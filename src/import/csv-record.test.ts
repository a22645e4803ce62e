import { expect, it } from 'vitest';
import { parseCsvRecord } from './csv-record.ts';

it.each([
  ['a,b', ['a', 'b']],
  ['', ['']],
  ['a,,', ['a', '', '']],
  ['"a,b",c', ['a,b', 'c']],
  ['"say ""hi""",""', ['say "hi"', '']],
  ['"two\nlines",x', ['two\nlines', 'x']],
  ['6" ruler,x', ['6" ruler', 'x']],
  ['"a",', ['a', '']],
])('%j has the fields %j', (text, cells) => {
  expect(parseCsvRecord(text)).toEqual({ kind: 'cells', cells });
});

it('a quote without its end leaves the record open', () => {
  expect(parseCsvRecord('a,"b')).toEqual({ kind: 'open' });
  expect(parseCsvRecord('a,"b""')).toEqual({ kind: 'open' });
});

it('text after a closing quote is a fault', () => {
  expect(parseCsvRecord('"a"b,c')).toMatchObject({ kind: 'fault' });
});
