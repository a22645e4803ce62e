import { beforeEach, describe, expect, it } from 'vitest';
import { createSwrCache, type CacheOutcome, type SwrCache } from './swr-cache.ts';

let nowMs: number;
let outcomes: CacheOutcome[];
let cache: SwrCache<string | null>;
let loads: number;

const load = async (): Promise<string> => {
  loads += 1;
  return `value ${loads}`;
};
/** Lets a refresh in the background finish. */
/** A load that does not end before `open`. */
function gated<T>(load: () => Promise<T>) {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  return { load: () => gate.then(load), open };
}
const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

beforeEach(() => {
  nowMs = 0;
  loads = 0;
  outcomes = [];
  cache = createSwrCache({
    maxSize: 10,
    freshMs: 500,
    staleMs: 500,
    nowMs: () => nowMs,
    onOutcome: (outcome) => outcomes.push(outcome),
  });
});

it('holds no more than its size, by what each takes', async () => {
  const sized = createSwrCache<string>({
    maxSize: 10,
    sizeOf: (value, key) => key.length + value.length,
    freshMs: 500,
    staleMs: 500,
  });
  for (const key of ['a', 'b', 'c']) await sized.get(key, async () => '123');
  const again = async (key: string): Promise<boolean> => {
    let loaded = false;
    await sized.get(key, async () => {
      loaded = true;
      return '123';
    });
    return loaded;
  };
  expect(await again('c')).toBe(false);
  expect(await again('a')).toBe(true);
});

describe('get', () => {
  it('serves a fresh value without loading, with the time it stays fresh', async () => {
    expect(await cache.get('key', load)).toEqual({ value: 'value 1', ttlMs: 500 });
    nowMs = 499;
    expect(await cache.get('key', load)).toEqual({ value: 'value 1', ttlMs: 1 });
    expect(outcomes).toEqual(['miss', 'fresh']);
  });

  it('replaces a stale value by one load, and waits for it when it comes soon', async () => {
    await cache.get('key', load);
    nowMs = 600;
    const answers = await Promise.all([cache.get('key', load), cache.get('key', load), cache.get('key', load)]);
    expect(answers.map(({ value }) => value)).toEqual(['value 2', 'value 2', 'value 2']);
    expect(loads).toBe(2);
    expect(outcomes).toEqual(['miss', 'miss', 'shared', 'shared']);
  });

  it('serves a stale value while one load that takes long replaces it', async () => {
    await cache.get('key', load);
    nowMs = 600;
    const slow = gated(load);
    const answers = await Promise.all([cache.get('key', slow.load), cache.get('key', slow.load)]);
    expect(answers).toEqual([
      { value: 'value 1', ttlMs: 50 },
      { value: 'value 1', ttlMs: 50 },
    ]);
    slow.open();
    await settle();
    expect(loads).toBe(2);
    expect(await cache.get('key', load)).toEqual({ value: 'value 2', ttlMs: 500 });
    expect(outcomes).toEqual(['miss', 'stale', 'stale', 'fresh']);
  });

  it('never lets anything be kept past the stale time', async () => {
    await cache.get('key', load);
    nowMs = 980;
    expect(await cache.get('key', gated(load).load)).toEqual({ value: 'value 1', ttlMs: 20 });
    const late = cache.get('key', load);
    nowMs = 1_010;
    expect(await late).toEqual({ value: 'value 1', ttlMs: 0 });
  });

  it('waits for a new value when the old one is too old', async () => {
    await cache.get('key', load);
    nowMs = 1_000;
    expect(await cache.get('key', load)).toEqual({ value: 'value 2', ttlMs: 500 });
  });

  it('shares one load among 100 concurrent misses', async () => {
    await Promise.all(Array.from({ length: 100 }, () => cache.get('key', load)));
    expect(loads).toBe(1);
    expect(outcomes.filter((outcome) => outcome === 'shared')).toHaveLength(99);
  });

  it('gives every waiter the error of a failed load, and tries again afterwards', async () => {
    const fail = (): Promise<string> => Promise.reject(new Error('away'));
    const settled = await Promise.allSettled([cache.get('key', fail), cache.get('key', fail)]);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await cache.get('key', load)).toMatchObject({ value: 'value 1' });
  });

  it('goes on with the stale value when its refresh fails', async () => {
    await cache.get('key', load);
    nowMs = 600;
    const fail = (): Promise<string> => Promise.reject(new Error('away'));
    expect(await cache.get('key', fail)).toMatchObject({ value: 'value 1' });
    expect(await cache.get('key', fail)).toMatchObject({ value: 'value 1' });
  });
});

describe('getMany', () => {
  const asked: (readonly string[])[] = [];
  const loadMany = async (ids: readonly string[]): Promise<ReadonlyMap<string, string>> => {
    asked.push(ids);
    return new Map(ids.filter((id) => id !== 'unknown').map((id) => [id, `${id} ${asked.length}`]));
  };
  beforeEach(() => {
    asked.length = 0;
  });

  it('loads in one call what is missing, and remembers what does not exist', async () => {
    await cache.getMany('item:', ['a', 'unknown'], loadMany, null);
    const { values } = await cache.getMany('item:', ['a', 'b', 'unknown', 'b'], loadMany, null);
    expect([...values]).toEqual([
      ['a', 'a 1'],
      ['unknown', null],
      ['b', 'b 2'],
    ]);
    expect(asked).toEqual([['a', 'unknown'], ['b']]);
  });

  it('refreshes what is stale along with what is missing, in one call', async () => {
    await cache.getMany('item:', ['a'], loadMany, null);
    nowMs = 600;
    const { values, ttlMs } = await cache.getMany('item:', ['a', 'b'], loadMany, null);
    expect([...values]).toEqual([
      ['a', 'a 2'],
      ['b', 'b 2'],
    ]);
    expect(ttlMs).toBe(500);
    expect(asked).toEqual([['a'], ['b', 'a']]);
  });

  it('loads what is aging along with what is missing, so that answers do not wear out part by part', async () => {
    await cache.getMany('item:', ['a'], loadMany, null);
    nowMs = 100;
    await cache.getMany('item:', ['b'], loadMany, null);
    nowMs = 200;
    const { values, ttlMs } = await cache.getMany('item:', ['a', 'b', 'c'], loadMany, null);
    expect(asked).toEqual([['a'], ['b'], ['c', 'a']]);
    expect(values.get('a')).toBe('a 3');
    expect(ttlMs).toBe(400);
    await cache.getMany('item:', ['a', 'b', 'c'], loadMany, null);
    expect(asked).toHaveLength(3);
  });

  it('serves what is stale while a load that takes long replaces it, and waits for what is missing', async () => {
    await cache.getMany('item:', ['a'], loadMany, null);
    nowMs = 600;
    const slow = gated(() => loadMany(['a', 'b']));
    const both = cache.getMany('item:', ['a', 'b'], slow.load, null);
    const { values, ttlMs } = await cache.getMany('item:', ['a'], loadMany, null);
    expect([values.get('a'), ttlMs]).toEqual(['a 1', 50]);
    slow.open();
    expect((await both).values.get('b')).toBe('b 2');
    expect(outcomes).toEqual(['miss', 'stale', 'stale', 'miss']);
  });

  it('joins loads of the same ids that are under way', async () => {
    await Promise.all([
      cache.getMany('item:', ['a', 'b'], loadMany, null),
      cache.getMany('item:', ['b', 'c'], loadMany, null),
    ]);
    expect(asked).toEqual([['a', 'b'], ['c']]);
  });

  it('rejects when its load fails', async () => {
    await expect(cache.getMany('item:', ['a'], () => Promise.reject(new Error('away')), null)).rejects.toThrow('away');
  });
});
