import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDemoBooks } from '../../src/demo/demo-books.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import type { Stack } from './stack.ts';

/** The books of `npm start`, `book-1` to `book-200`, with no interactions yet. */
export async function importDemoBooks(stack: Stack): Promise<void> {
  const file = join(testDirectory('books'), 'books.ndjson');
  const books = await readDemoBooks();
  writeFileSync(file, books.map(({ item }) => JSON.stringify(item)).join('\n'));
  const { exitCode, stderr } = await stack.run('import', ['--items', file]);
  if (exitCode !== 0) throw new Error(`the demo books were not imported: ${stderr}`);
}
