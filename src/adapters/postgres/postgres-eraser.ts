import type { ViewerEraser } from '../../interactions/eraser.ts';
import { oldestMinute } from './postgres-partitions.ts';
import type { Database, Queryable } from './prisma-database.ts';

const CHUNK = 1_000;

/** By functions of the database, since the role of an API may delete nothing itself; each call is a transaction. */
export function createPostgresEraser(database: Database, now: () => number = Date.now): ViewerEraser {
  async function inChunks(erase: (client: Queryable) => Promise<{ erased: number }[]>): Promise<number> {
    let all = 0;
    for (;;) {
      const [row] = await database.primary(erase);
      const erased = row?.erased ?? 0;
      all += erased;
      if (erased < CHUNK) return all;
    }
  }

  return {
    async erase(viewer) {
      const fromMinute = oldestMinute(now());
      await database.primary((client) => client.$executeRaw`SELECT erase_begin(${viewer}::uuid)`);
      // All but what is given meanwhile, which the last chunk of interactions takes along.
      await inChunks(
        (client) => client.$queryRaw`
          SELECT erase_reactions(${viewer}::uuid, ${CHUNK}::integer, ${fromMinute}::integer) AS erased`,
      );
      const interactions = await inChunks(
        (client) => client.$queryRaw`
          SELECT erase_interactions(${viewer}::uuid, ${CHUNK}::integer, ${fromMinute}::integer) AS erased`,
      );
      await database.primary((client) => client.$executeRaw`SELECT erase_rejected(${viewer}::uuid)`);
      return { interactions };
    },
  };
}
