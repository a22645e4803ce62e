import { query } from './query.ts';
import { waitFor } from './wait-for.ts';

/** Creates a database, with statement counting, and resolves once every replica can be asked for it. */
export async function createDatabaseAt(
  primaryUrl: string,
  name: string,
  url: string,
  replicaUrls: readonly string[],
): Promise<void> {
  await query(primaryUrl, `create database "${name}" template template0`);
  await query(url, 'create extension pg_stat_statements');
  for (const replicaUrl of replicaUrls) {
    await waitFor(
      `the replica to have the database ${name}`,
      async () =>
        (await query(replicaUrl, "select from pg_extension where extname = 'pg_stat_statements'")).length === 1,
    );
  }
}
