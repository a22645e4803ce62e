import pg from 'pg';
import { z } from 'zod';
import { sqlState } from './postgres-errors.ts';
import { inLockTurns, type LockTurns } from './postgres-lock-turns.ts';

const rows = z.tuple([z.object({ missing: z.array(z.string()) })]);

/**
 * Gives the roles of APIs, workers and migrations their rights; resolves to those that are not there and that the role of this
 * URL may not make. Needs a schema with every migration, and a URL past PgBouncer: it holds a session lock.
 */
export async function grantRights(url: string, turns: LockTurns = {}): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    // ALTER TABLE ... OWNER locks the table against readers too.
    const grant = () => client.query('SELECT grant_rights() AS missing');
    const { rows: granted } = await inLockTurns(client, grant, (error) => sqlState(error), turns);
    return rows.parse(granted)[0].missing;
  } finally {
    await client.end();
  }
}
