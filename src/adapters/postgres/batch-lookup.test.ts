import { expect, it } from 'vitest';
import { createBatchLookup } from './batch-lookup.ts';
import type { Queryable } from './prisma-database.ts';
import { entries, interaction } from '../../../test/recording/fixture.ts';

it('knows every item of a batch though the cache has no room for all', async () => {
  const keys = new Map(['a', 'b', 'c', 'd'].map((id, index) => [id, BigInt(index)]));
  const tx = {
    $queryRaw: (_: TemplateStringsArray, __: unknown, ___: unknown, ids: string) =>
      Promise.resolve(
        [...keys].flatMap(([id, key]) => (ids.includes(`"${id}"`) ? [{ itemId: id, key, recorded: null }] : [])),
      ),
  } as unknown as Queryable;
  const lookup = createBatchLookup(2);
  for (const itemIds of [
    ['a', 'b'],
    ['a', 'c', 'd'],
    ['b', 'c', 'a', 'd'],
  ]) {
    const { keyed, unknown } = await lookup.find(tx, entries(...itemIds.map((itemId) => interaction({ itemId }))));
    expect(unknown).toEqual([]);
    expect(keyed.map(({ itemKey }) => itemKey)).toEqual(itemIds.map((id) => keys.get(id)));
  }
});
