import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { TextCache } from '../../src/cache/cache.ts';
import { waitFor } from '../servers/wait-for.ts';

/** What every TextCache promises. `cache` is asked for at the time of each test. */
export function cacheContract(name: string, cache: () => TextCache): void {
  const key = (): string => `contract:${randomUUID()}`;

  describe(`${name}, as a cache`, () => {
    it('gives back what was set', async () => {
      const id = key();
      await cache().set(id, '{"a":1}', 60_000);
      expect(await cache().get(id)).toBe('{"a":1}');
    });

    it('knows nothing of a key that was never set', async () => {
      expect(await cache().get(key())).toBeUndefined();
    });

    it('keeps every character, an empty text and a megabyte as well', async () => {
      for (const text of ['', 'é😀\u0000"\\\n:', '5:abc', 'x'.repeat(1_000_000)]) {
        const id = key();
        await cache().set(id, text, 60_000);
        expect((await cache().get(id)) === text).toBe(true);
      }
    });

    it('keeps keys with colons, spaces and any alphabet apart', async () => {
      const id = key();
      await cache().set(`${id}:a b`, 'first', 60_000);
      await cache().set(`${id}:á:b`, 'second', 60_000);
      expect(await cache().get(`${id}:a b`)).toBe('first');
      expect(await cache().get(`${id}:á:b`)).toBe('second');
    });

    it('the last set wins', async () => {
      const id = key();
      await cache().set(id, 'old', 60_000);
      await cache().set(id, 'new', 60_000);
      expect(await cache().get(id)).toBe('new');
    });

    it('forgets what was deleted, and deleting what is not there is no fault', async () => {
      const id = key();
      await cache().set(id, 'text', 60_000);
      await cache().delete(id);
      await cache().delete(id);
      expect(await cache().get(id)).toBeUndefined();
    });

    it('an entry is there until its time is up, however often it is read, and gone after', async () => {
      const id = key();
      const setAtMs = Date.now();
      await cache().set(id, 'short', 300);
      expect(await cache().get(id)).toBe('short');
      let lastSeenMs = 0;
      await waitFor(
        'the entry to expire',
        async () => {
          if ((await cache().get(id)) === undefined) return true;
          lastSeenMs = Date.now();
          return false;
        },
        { deadlineMs: 5_000, everyMs: 10 },
      );
      expect(Date.now() - setAtMs).toBeGreaterThanOrEqual(300);
      expect(lastSeenMs - setAtMs).toBeLessThan(400);
    });

    it('answers many at once', async () => {
      const id = key();
      await Promise.all(
        Array.from({ length: 200 }, (_, index) => cache().set(`${id}:${index}`, String(index), 60_000)),
      );
      const texts = await Promise.all(Array.from({ length: 400 }, (_, index) => cache().get(`${id}:${index % 200}`)));
      expect(texts).toEqual(Array.from({ length: 400 }, (_, index) => String(index % 200)));
    });
  });
}
