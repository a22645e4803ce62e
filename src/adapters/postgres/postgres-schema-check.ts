import type { Logger } from '../../runtime/logger.ts';
import type { Database } from './prisma-database.ts';
import { readSchemaVersion, schemaProblem } from './postgres-schema-version.ts';

/** A schema that fits is looked at again after so long: a newer version may take away what this one uses. */
const HOLD_MS = 5_000;

export interface SchemaCheckOptions {
  readonly database: Pick<Database, 'primary'>;
  readonly logger: Logger;
  /** The migrations of this version, in order. */
  readonly known: () => Promise<readonly string[]>;
  readonly holdMs?: number;
}

/** Null while this process can work on the schema, else why not, which it also logs each time that changes. */
export function createSchemaCheck(options: SchemaCheckOptions): () => Promise<string | null> {
  const { database, logger, holdMs = HOLD_MS } = options;
  let known: Promise<readonly string[]> | undefined;
  let last: string | null | undefined;
  let checkedAtMs = -Infinity;
  let unknownCount = 0;

  return async () => {
    if (last === null && performance.now() - checkedAtMs < holdMs) return null;
    known ??= options.known();
    const names = await known;
    const version = await database.primary((client) => readSchemaVersion(names, (sql) => client.$queryRawUnsafe(sql)));
    const problem = schemaProblem(version);
    checkedAtMs = performance.now();
    const { unknown: migrations } = version;
    if (problem !== last && problem !== null) logger.warn({ problem }, 'the schema does not fit: not ready');
    else if (problem !== last && last !== undefined) logger.info('the schema fits');
    if (problem === null && migrations.length > unknownCount) {
      logger.info({ migrations }, 'the schema is newer than this version, which can work on it');
    }
    unknownCount = migrations.length;
    last = problem;
    return problem;
  };
}
