import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cellReader, readTable, type TableRow } from './read-table.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-table-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(content: string | Buffer): Promise<TableRow[]> {
  const path = join(folder, 'file');
  await writeFile(path, content);
  const rows: TableRow[] = [];
  for await (const portion of (await readTable(path)).rows) rows.push(...portion);
  return rows;
}

it('rows carry the line they begin in, over empty lines, quoted line ends and CRLF', async () => {
  const rows = await read('\uFEFFa,b\r\n1,2\r\n\r\n"x\r\ny",3\r\n4,5');
  expect(rows).toEqual([
    { line: 2, kind: 'cells', cells: ['1', '2'] },
    { line: 4, kind: 'cells', cells: ['x\ny', '3'] },
    { line: 6, kind: 'cells', cells: ['4', '5'] },
  ]);
});

it('a broken row costs no other row: the ones after it are read', async () => {
  const rows = await read('a,b\n"1"x,2\n3,4\n5\n"6,7\n8,9\n');
  expect(rows).toEqual([
    { line: 2, kind: 'fault', fault: 'after the closing quote of field 1 comes "x", not a comma' },
    { line: 3, kind: 'cells', cells: ['3', '4'] },
    { line: 4, kind: 'fault', fault: 'has 1 fields, the header has 2' },
    { line: 5, kind: 'fault', fault: 'opens a quote that is never closed' },
    { line: 6, kind: 'cells', cells: ['8', '9'] },
  ]);
});

it('a file longer than a portion comes out whole, quoted fields across the seam included', async () => {
  const count = 60_000;
  const rows = await read(`n,text\n${Array.from({ length: count }, (_, n) => `${n},"text\n${n}"`).join('\n')}\n`);
  expect(rows).toHaveLength(count);
  expect(rows.every((row, n) => row.kind === 'cells' && row.cells[1] === `text\n${n}` && row.line === 2 + 2 * n)).toBe(
    true,
  );
});

it('NDJSON is told by its first character; a line that is no object is a fault of that line', async () => {
  const rows = await read('{"a":1}\n[1]\nnope\n\n{"a":"x"}\n');
  expect(rows.map(({ line, kind }) => `${line} ${kind}`)).toEqual(['1 object', '2 fault', '3 fault', '5 object']);
  const readA = cellReader({ columns: null }, 'a');
  expect(rows.map(readA)).toEqual(['1', '', '', 'x']);
});

it('gzip is told by its first bytes', async () => {
  expect(await read(gzipSync('a\n1\n'))).toEqual([{ line: 2, kind: 'cells', cells: ['1'] }]);
});

it('a gzip file that is cut off is named, after the rows that could be read', async () => {
  const whole = gzipSync('a\n1\n');
  await expect(read(whole.subarray(0, -6))).rejects.toThrow(/file is cut off or damaged \(gzip: /);
});

it('a bzip2 file that is cut off is named', async () => {
  await expect(read(Buffer.from('BZh91AY&SY'))).rejects.toThrow(/file is cut off or damaged \(bzip2: /);
});

it.each([
  ['', 'is empty'],
  ['\n\n', 'is empty'],
  ['[{"a":1}]', 'is one JSON array'],
  ['a,a\n1,2\n', 'has two columns named a'],
  ['"a\n', 'has no header that can be read'],
])('%j: %s', async (content, message) => {
  await expect(read(content)).rejects.toThrow(message);
});

it('a missing file and a folder are said to be that', async () => {
  await expect(readTable(join(folder, 'nowhere'))).rejects.toThrow(/nowhere does not exist$/);
  await expect(readTable(folder)).rejects.toThrow(/is a folder$/);
});
