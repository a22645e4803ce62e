import pg from 'pg';
import { z } from 'zod';

const rows = z.tuple([z.object({ missing: z.array(z.string()) })]);

/**
 * Gives the roles of APIs, workers and migrations their rights; resolves to those that are not there and that the role of this
 * URL may not make. Needs a schema with every migration.
 */
export async function grantRights(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const result = await client.query('SELECT grant_rights() AS missing');
    return rows.parse(result.rows)[0].missing;
  } finally {
    await client.end();
  }
}
