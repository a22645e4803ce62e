import pg from 'pg';
import { createPostgresStandings } from '../src/adapters/postgres/postgres-standings.ts';
import { openDatabase } from './postgres.ts';

/** Every item at least once, the rest more often the smaller their number; the last week but for its first hours. */
const ROWS = `
  INSERT INTO interactions (id, viewer, item_key, type, retraction)
  SELECT (substr(uuid_at(now() - (1 - n / $1::float8) * interval '160 hours')::text, 1, 13) || '-7'
      || substr(md5(n::text), 1, 3) || '-8' || substr(md5(n::text), 4, 3) || '-' || lpad(to_hex(n), 12, '0'))::uuid,
    md5((n % 1000000)::text)::uuid,
    CASE WHEN n % $3 = 0 THEN n / $3 % $2 + 1 ELSE floor($2 * power(random(), 2)) + 1 END,
    (ARRAY['VIEW', 'VIEW', 'VIEW', 'VIEW', 'VIEW', 'VIEW', 'SHARE', 'COMMENT', 'COMMENT', 'PURCHASE'])[1 + floor(10 * random())::integer]::interaction_type,
    false
  FROM generate_series(0::bigint, $1::bigint - 1) AS n`;

/** Fills an empty catalogue's history by SQL, rollups included, and the standings by their own code. */
export async function fillHistory(url: string, interactions: number, items: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('SET synchronous_commit = off');
    // No statement of this benchmark asks by viewer, and it is what takes longest to fill.
    await client.query('DROP INDEX interactions_viewer_id_idx');
    await client.query(ROWS, [interactions, items, Math.max(1, Math.floor(interactions / items))]);
    await client.query(
      `CREATE TEMP TABLE counted AS
       SELECT item_key, type, uuid_minute(id) AS minute, count(*)::integer AS n FROM interactions GROUP BY 1, 2, 3`,
    );
    await client.query(
      `INSERT INTO minutes SELECT item_key, minute, type, n, n FROM counted
       WHERE minute > extract(epoch FROM now()) / 60 - 2880 ORDER BY 1, 2, 3`,
    );
    for (const [table, column, minutes] of [
      ['hours', 'hour', 60],
      ['days', 'day', 1_440],
    ] as const) {
      await client.query(
        `INSERT INTO ${table} (item_key, ${column}, type, events, people)
         SELECT item_key, minute / ${minutes}, type, sum(n), sum(n) FROM counted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
      );
    }
    await client.query(
      `INSERT INTO totals SELECT item_key, type, sum(n), sum(n) FROM counted GROUP BY 1, 2 ORDER BY 1, 2`,
    );
    for (const table of ['interactions', 'minutes', 'hours', 'days', 'totals']) {
      await client.query(`VACUUM (ANALYZE) ${table}`);
    }
  } finally {
    await client.end();
  }
  const database = openDatabase(url);
  try {
    const standings = createPostgresStandings({ database });
    while ((await standings.refresh()).more);
  } finally {
    await database.close();
  }
}
