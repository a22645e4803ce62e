import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCsvRecord } from '../import/csv-record.ts';
import type { ItemInput } from '../items/item.ts';

export interface DemoBook {
  readonly item: ItemInput;
  /** Real readers who rated it. */
  readonly ratings: number;
  /** Of those, who gave 4 or 5 stars. */
  readonly liked: number;
  /** Real readers who wrote of it. */
  readonly reviews: number;
}

/** 200 real books; where they are from and their licence is in books.LICENSE.md. */
export async function readDemoBooks(): Promise<DemoBook[]> {
  const text = await readFile(join(import.meta.dirname, 'books.csv'), 'utf8');
  const [header = [], ...rows] = text.trimEnd().split('\n').map(cellsOf);
  return rows.map((cells) => {
    const cell = (name: string): string => cells[header.indexOf(name)] ?? '';
    const stars = [1, 2, 3, 4, 5].map((count) => Number(cell(`ratings${count}`)));
    const year = Number(cell('year'));
    return {
      item: {
        id: `book-${cell('id')}`,
        title: cell('title'),
        category: categoryOf(year),
        url: null,
        imageUrl: cell('imageUrl'),
        attributes: {
          authors: cell('authors'),
          year,
          ...(cell('language') === '' ? {} : { language: cell('language') }),
        },
      },
      ratings: stars.reduce((sum, count) => sum + count, 0),
      liked: (stars[3] ?? 0) + (stars[4] ?? 0),
      reviews: Number(cell('textReviews')),
    };
  });
}

/** Six that all hold enough books to rank. */
function categoryOf(year: number): string {
  if (year < 1900) return 'before-1900';
  if (year < 1950) return '1900-1949';
  if (year < 1980) return '1950-1979';
  return year >= 2010 ? '2010s' : `${Math.floor(year / 10) * 10}s`;
}

function cellsOf(line: string): string[] {
  const record = parseCsvRecord(line);
  if (record.kind !== 'cells') throw new Error(`books.csv is damaged: ${line}`);
  return record.cells;
}
