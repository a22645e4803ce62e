import pg from 'pg';
import { createPostgresStandings } from '../src/adapters/postgres/postgres-standings.ts';
import { openDatabase } from './postgres.ts';

/** Every item at least once, the rest more often the smaller their number; spread over the last 160 hours. */
const EVENTS = `
  CREATE TEMP TABLE events AS
  SELECT n, floor(extract(epoch FROM now()) * 1000 - (1 - (n + 1) / $1::float8) * 160 * 3600000)::bigint AS ms,
    CASE WHEN n % $3 = 0 THEN n / $3 % $2 + 1 ELSE floor($2 * power(random(), 2))::bigint + 1 END AS item_key,
    CASE WHEN n % 10 < 7 THEN 'VIEW' WHEN n % 10 < 8 THEN 'SHARE' WHEN n % 10 < 9 THEN 'COMMENT' ELSE 'PURCHASE' END::interaction_type AS type
  FROM generate_series(0::bigint, $1::bigint - 1) AS n`;

const INTERACTIONS = `
  INSERT INTO interactions (id, viewer, item_key, type, retraction)
  SELECT (lpad(to_hex(ms), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
    lpad(to_hex(n * 7919 % 1000003), 32, '0')::uuid, item_key, type, false
  FROM events ORDER BY n`;

/** By hand, for the first fill is what takes longest: secondary indexes come after the rows. */
const SECONDARY_INDEXES = [
  ['minutes_minute_idx', 'minutes (minute)'],
  ['hours_hour_idx', 'hours (hour)'],
  ['days_day_idx', 'days (day)'],
] as const;

/** Fills an empty catalogue's history by SQL, rollups included, and the standings by their own code. */
export async function fillHistory(url: string, interactions: number, items: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('SET synchronous_commit = off');
    await client.query("SET work_mem = '512MB'");
    // No statement of this benchmark asks by viewer.
    await client.query('DROP INDEX interactions_viewer_id_idx');
    for (const [name] of SECONDARY_INDEXES) await client.query(`DROP INDEX ${name}`);
    // Parameters are no part of CREATE TABLE AS.
    const values = [interactions, items, Math.max(1, Math.floor(interactions / items))];
    await client.query(EVENTS.replace(/\$([123])/g, (_, position: string) => String(values[Number(position) - 1])));
    await client.query(INTERACTIONS);
    // HOUR is all that is read of the minutes.
    await client.query(
      `INSERT INTO minutes SELECT item_key, ms / 60000, type, count(*), count(*) FROM events
       WHERE ms > extract(epoch FROM now()) * 1000 - 6 * 3600000 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
    );
    await client.query(
      `INSERT INTO hours SELECT item_key, ms / 3600000, type, count(*), count(*) FROM events GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
    );
    await client.query(
      `INSERT INTO days SELECT item_key, hour / 24, type, sum(events), sum(people) FROM hours GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
    );
    await client.query(
      `INSERT INTO totals SELECT item_key, type, sum(events), sum(people) FROM days GROUP BY 1, 2 ORDER BY 1, 2`,
    );
    for (const [name, columns] of SECONDARY_INDEXES) await client.query(`CREATE INDEX ${name} ON ${columns}`);
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
