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

it('characters are counted as they are for clients, not UTF-16 units', () => {
  const cells = ['😀'.repeat(256), '😀'.repeat(1_000), '😀'.repeat(256), '', '', '', ''];
  expect(parse(cells, [['category', 'language']])).toMatchObject({ id: cells[0], title: cells[1], category: cells[2] });
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
  [['', 'Emma', '', '', '', '', ''], 'id "": The id must be 1 to 256 characters.'],
  [['\uFFFD', 'Emma', '', '', '', '', ''], 'is no UTF-8'],
  [['1', ' ', '', '', '', '', ''], 'title " ": The title must be 1 to 1,000 characters.'],
  [['1', 'x'.repeat(1_001), '', '', '', '', ''], 'The title must be 1 to 1,000 characters.'],
  [
    ['1', 'Emma', '', 'javascript:alert(1)', '', '', ''],
    'imageUrl "javascript:alert(1)": The URL must be http or https',
  ],
  [['1', 'Emma', '', 'https://a b', '', '', ''], 'The URL must be http or https'],
  [['1', 'Emma', '', '', '', 'x'.repeat(17_000), ''], 'Attributes must be at most 16 KiB'],
])('%j: %s', (cells, fault) => {
  expect(parse(cells)).toContain(fault);
});
