import type { ViewerEraser } from '../../interactions/eraser.ts';
import { oldestMinute } from './postgres-partitions.ts';
import type { Database, Queryable } from './prisma-database.ts';
import { RECORDING_LOCK } from './record-batch-sql.ts';

const CHUNK = 1_000;
/** Nothing is recorded meanwhile, so as few calls as will do. */
const REACTIONS_CHUNK = 10_000;
/** With the last chunk go all reactions of one person, which may be all that an import gave to a single name. */
const TIMEOUT_MS = 600_000;

/** By functions of the database, since the role of an API may delete nothing itself. */
export function createPostgresEraser(database: Database, now: () => number = Date.now): ViewerEraser {
  /** A transaction each, beside no batch: one would count against rows that are about to go. */
  async function inChunks(erase: (client: Queryable) => Promise<number>): Promise<number> {
    let all = 0;
    for (;;) {
      const erased = await database.transaction(async (tx) => {
        await tx.$executeRaw`SELECT pg_advisory_xact_lock(${RECORDING_LOCK})`;
        return erase(tx);
      }, TIMEOUT_MS);
      all += erased;
      if (erased < CHUNK) return all;
    }
  }

  return {
    async erase(viewer) {
      const fromMinute = oldestMinute(now());
      await database.primary((client) => client.$executeRaw`SELECT erase_begin(${viewer}::uuid)`);
      const interactions = await inChunks(async (client) => {
        const [row] = await client.$queryRaw<{ erased: number }[]>`
          SELECT erase_interactions(${viewer}::uuid, ${CHUNK}::integer, ${fromMinute}::integer) AS erased`;
        const erased = row?.erased ?? 0;
        // With the last of them: a reaction that is missing would be made anew of an interaction that comes again.
        if (erased < CHUNK) while ((await eraseReactions(client, viewer, fromMinute)) === REACTIONS_CHUNK);
        return erased;
      });
      await database.primary((client) => client.$executeRaw`SELECT erase_rejected(${viewer}::uuid)`);
      return { interactions };
    },
  };
}

async function eraseReactions(client: Queryable, viewer: string, fromMinute: number): Promise<number> {
  const [row] = await client.$queryRaw<{ erased: number }[]>`
    SELECT erase_reactions(${viewer}::uuid, ${REACTIONS_CHUNK}::integer, ${fromMinute}::integer) AS erased`;
  return row?.erased ?? 0;
}
