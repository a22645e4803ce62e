import type { PoolClient } from 'pg';
import { Prisma } from '../generated/prisma/client.ts';

/**
 * In a statement that is sent all the time and whose plan is good for any of its values: where a connection is one to Postgres
 * itself, it is sent under a name, parsed once, and planned anew only while that pays.
 */
export const PLAN_KEPT = Prisma.raw('/* plan kept */');

export interface NamedStatements {
  /** For a pool to call with each new connection, before that is used. */
  verify(client: PoolClient, done: (error?: Error) => void): void;
  /** The name to send a statement under, which says what it does; empty for none. */
  nameOf(statement: { readonly sql: string }): string;
}

/**
 * For one pool. Behind PgBouncer the next statement may meet another connection, which knows no name, and which others use next:
 * so nothing is named or set there. `timeoutMs`: Postgres ends a statement that takes longer; null: none.
 */
export function createNamedStatements(timeoutMs: number | null = null): NamedStatements {
  const names = new Map<string, string>();
  let isDirect: boolean | null = null;

  return {
    verify(client, done) {
      // While a pool asks, it does not listen: without a listener the end of the connection would be that of the process.
      const hear = (): void => undefined;
      client.on('error', hear);
      const finish = (error: Error | null): void => {
        client.off('error', hear);
        done(error ?? undefined);
      };
      client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid', (error: Error | null, result) => {
        if (error !== null) return finish(error);
        // A pooler tells its clients numbers of its own.
        isDirect = isDirect !== false && result.rows[0]?.pid === Reflect.get(client, 'processID');
        if (!isDirect || timeoutMs === null) return finish(null);
        return client.query(`SET statement_timeout = ${timeoutMs}`, finish);
      });
    },
    nameOf({ sql }) {
      if (isDirect !== true || !sql.includes(PLAN_KEPT.sql)) return '';
      let name = names.get(sql);
      if (name === undefined) names.set(sql, (name = `groundswell_${names.size + 1}_${deedOf(sql)}`));
      return name;
    },
  };
}

/** Such as `insert_interactions`: what it writes first, else what it reads first. */
function deedOf(sql: string): string {
  const written = /INSERT INTO (\w+)/.exec(sql)?.[1];
  return written === undefined ? `select_${/FROM (\w+)/.exec(sql)?.[1] ?? 'nothing'}` : `insert_${written}`;
}
