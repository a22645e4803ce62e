import { expect, it } from 'vitest';
import { occurredAtMs } from '../interactions/interaction-id.ts';
import { readDemoBooks } from './demo-books.ts';
import { drawDemoInteractions } from './demo-interactions.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

it('has 200 books in categories that all hold enough to rank', async () => {
  const books = await readDemoBooks();
  expect(new Set(books.map(({ item }) => item.id)).size).toBe(200);
  const categories = new Set(books.map(({ item }) => item.category));
  for (const category of categories) {
    expect(books.filter(({ item }) => item.category === category).length).toBeGreaterThanOrEqual(10);
  }
  expect(books[0]?.item).toMatchObject({ title: 'The Hunger Games (The Hunger Games, #1)', category: '2000s' });
});

it('draws the same interactions for the same time, all within the last 30 days', async () => {
  const books = await readDemoBooks();
  const drawn = drawDemoInteractions(books, NOW);
  expect(drawDemoInteractions(books, NOW)).toEqual(drawn);
  expect(new Set(drawn.map(({ id }) => id)).size).toBe(drawn.length);
  const times = drawn.map(({ id }) => occurredAtMs(id));
  expect(Math.min(...times)).toBeGreaterThan(NOW - 30 * 86_400_000);
  expect(Math.max(...times)).toBeLessThan(NOW);
});

it('has something in the last hour, and every type', async () => {
  const drawn = drawDemoInteractions(await readDemoBooks(), NOW);
  expect(drawn.filter(({ id }) => occurredAtMs(id) > NOW - 3_600_000).length).toBeGreaterThan(20);
  expect(new Set(drawn.map(({ type }) => type)).size).toBe(6);
});
