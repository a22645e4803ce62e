import { z } from 'zod';

/** How the schema that is there compares with the one that this version was made for. */
export interface SchemaVersion {
  /** Migrations of this version that are not applied to the end, in order. */
  readonly pending: readonly string[];
  /** Migrations that are applied and that this version does not know: a newer one's. */
  readonly unknown: readonly string[];
  /** The newest migration that a process must know; null on a schema from before there was such a mark. */
  readonly floor: string | null;
  readonly belowFloor: boolean;
}

const thereRows = z.tuple([z.object({ migrations: z.boolean(), floor: z.boolean() })]);
const appliedRows = z.array(z.object({ migration_name: z.string() }));
const floorRows = z.array(z.object({ migration: z.string() }));

/** `known`: the migrations of this version, in order. `ask`: runs a statement and gives its rows. */
export async function readSchemaVersion(
  known: readonly string[],
  ask: (sql: string) => Promise<unknown>,
): Promise<SchemaVersion> {
  const [there] = thereRows.parse(
    await ask(
      `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS migrations, to_regclass('schema_floor') IS NOT NULL AS floor`,
    ),
  );
  const rows = there.migrations
    ? await ask(
        'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY 1',
      )
    : [];
  const applied = appliedRows.parse(rows).map((row) => row.migration_name);
  const floors = floorRows.parse(there.floor ? await ask('SELECT migration FROM schema_floor') : []);
  const floor = floors[0]?.migration ?? null;
  return {
    pending: known.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !known.includes(name)),
    floor,
    belowFloor: floor !== null && !known.includes(floor),
  };
}

/** Why this version cannot work on that schema, in words for an operator; null when it can. */
export function schemaProblem({ pending, floor, belowFloor }: SchemaVersion): string | null {
  if (belowFloor) {
    return `the schema is newer than this version can work on (it must know ${floor}): start a newer version`;
  }
  return pending.length === 0
    ? null
    : `the schema is older than this version, ${pending.length} pending: npm run migrate`;
}
