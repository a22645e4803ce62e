import type { PrismaPg } from '@prisma/adapter-pg';
import { DriverAdapterError, type SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { DatabaseError } from 'pg';

export interface ScriptFault {
  readonly message: string;
  /** SQLSTATE. */
  readonly code: string;
  /** Of the script, from 1. */
  readonly line: number | null;
}

/** The last script's fault: the schema engine keeps only its message. */
export interface ScriptState {
  fault: ScriptFault | null;
}

/**
 * In the transaction of the script: one whose process is killed goes on to its end at the server, and would be taken for unfinished. The
 * engine says the same again afterwards.
 */
const MARK_FINISHED = `
;DO $$ BEGIN
  IF to_regclass('_prisma_migrations') IS NOT NULL THEN
    UPDATE _prisma_migrations SET finished_at = now() WHERE finished_at IS NULL AND rolled_back_at IS NULL;
  END IF;
END $$`;

/**
 * PrismaPg that sends a script as it is. Its own `executeScript` cuts at every semicolon (7.10), also within a comment or a
 * function's body, and commits each piece. Whole, a script is one transaction, as with `prisma migrate deploy`.
 */
export function wholeScripts(prismaPg: PrismaPg, state: ScriptState): SqlMigrationAwareDriverAdapterFactory {
  return {
    provider: prismaPg.provider,
    adapterName: prismaPg.adapterName,
    connectToShadowDb: () => prismaPg.connectToShadowDb(),
    async connect() {
      const connection = await prismaPg.connect();
      const executeScript = async (script: string): Promise<void> => {
        try {
          await connection.underlyingDriver().query(script + MARK_FINISHED);
        } catch (error) {
          if (!(error instanceof DatabaseError)) throw error;
          state.fault = { message: error.message, code: error.code ?? 'XX000', line: lineAt(script, error.position) };
          throw toDriverAdapterError(error);
        }
      };
      return Object.assign(connection, { executeScript });
    },
  };
}

function toDriverAdapterError(error: DatabaseError): DriverAdapterError {
  return new DriverAdapterError({
    kind: 'postgres',
    code: error.code ?? 'XX000',
    severity: error.severity ?? 'ERROR',
    message: error.message,
    detail: error.detail,
    column: error.column,
    hint: error.hint,
  });
}

/** Postgres counts characters from 1. */
function lineAt(script: string, position: string | undefined): number | null {
  const characters = Number(position);
  if (!Number.isInteger(characters) || characters < 1) return null;
  return Array.from(script).slice(0, characters).join('').split('\n').length;
}
