import type { ViewerEraser } from '../../interactions/eraser.ts';
import { oldestMinute } from './postgres-partitions.ts';
import type { Database } from './prisma-database.ts';

const CHUNK = 1_000;

/** By functions of the database, since the role of an API may delete nothing itself; each call is a transaction. */
export function createPostgresEraser(database: Database, now: () => number = Date.now): ViewerEraser {
  return {
    async erase(viewer) {
      const fromMinute = oldestMinute(now());
      await database.primary((client) => client.$executeRaw`SELECT erase_begin(${viewer}::uuid)`);
      let interactions = 0;
      for (;;) {
        const [row] = await database.primary(
          (client) => client.$queryRaw<{ erased: number }[]>`
            SELECT erase_interactions(${viewer}::uuid, ${CHUNK}::integer, ${fromMinute}::integer) AS erased`,
        );
        const erased = row?.erased ?? 0;
        interactions += erased;
        if (erased < CHUNK) break;
      }
      for (;;) {
        const [row] = await database.primary(
          (client) => client.$queryRaw<{ erased: number }[]>`
            SELECT erase_reactions(${viewer}::uuid, ${CHUNK}::integer, ${fromMinute}::integer) AS erased`,
        );
        if ((row?.erased ?? 0) < CHUNK) break;
      }
      await database.primary((client) => client.$executeRaw`SELECT erase_rejected(${viewer}::uuid)`);
      return { interactions };
    },
  };
}
