import { expect, it } from 'vitest';
import { createItemRowParser } from './item-rows.ts';

const COLUMNS = ['id', 'title', 'language', 'imageUrl', 'year', 'isbn', 'empty'];

function parse(cells: readonly string[], mapping: [string, string][] = []) {
  return createItemRowParser({ columns: COLUMNS, path: 'x' }, new Map(mapping))({ line: 2, kind: 'cells', cells });
}

it('columns that are no field become attributes; numbers stay numbers only when they print the same', () => {
  expect(
    parse(['1', 'Emma', 'eng', 'https://x.test/1.jpg', '1815', '0141439580', ''], [['category', 'language']]),
  ).toEqual({
    id: '1',
    title: 'Emma',
    category: 'eng',
    url: null,
    imageUrl: 'https://x.test/1.jpg',
    attributes: { year: 1815, isbn: '0141439580' },
  });
});

it('NDJSON keeps its values, and an attributes object goes in as it is', () => {
  const parser = createItemRowParser({ columns: null, path: 'x' }, new Map());
  const object = { id: 'a', title: 'A', tags: ['x'], attributes: { year: 1815 } };
  expect(parser({ line: 1, kind: 'object', object })).toMatchObject({
    id: 'a',
    attributes: { tags: ['x'], year: 1815 },
  });
});

it.each([
  [['', 'Emma', '', '', '', '', ''], 'id "" is no item id'],
  [['1', ' ', '', '', '', '', ''], 'has no title'],
  [['1', 'x'.repeat(1_001), '', '', '', '', ''], 'is too long'],
  [['1', 'Emma', '', 'javascript:alert(1)', '', '', ''], 'is no URL'],
  [['1', 'Emma', '', '', '', 'x'.repeat(17_000), ''], 'has over 16384 bytes of attributes'],
])('%j: %s', (cells, fault) => {
  expect(parse(cells)).toContain(fault);
});
