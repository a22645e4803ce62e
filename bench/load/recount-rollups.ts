import { oldestMinute } from '../../src/adapters/postgres/postgres-partitions.ts';
import { query } from '../../test/servers/query.ts';

/**
 * The rules of counting once more, from the raw rows alone: events as they happened, each person once per item, type and
 * clock hour; a reaction as one event of one person in the minute since which it stands.
 */
const SHARES = `
  oldest AS (SELECT $1::integer AS minute),
  events AS (
    SELECT item_key, type, viewer, uuid_minute(id) AS minute FROM interactions WHERE type NOT IN ('LIKE', 'SAVE')
  ),
  retracted AS (
    SELECT viewer, item_key, type, max(id::text) AS id FROM interactions WHERE retraction GROUP BY 1, 2, 3
  ),
  standing AS (
    SELECT given.viewer, given.item_key, given.type, uuid_minute(min(given.id::text)::uuid) AS minute
    FROM interactions AS given LEFT JOIN retracted USING (viewer, item_key, type)
    WHERE given.type IN ('LIKE', 'SAVE') AND NOT given.retraction AND given.id::text > coalesce(retracted.id, '')
    GROUP BY 1, 2, 3
  ),
  -- In which minute of the hour somebody is counted depends on what was recorded first: the rows of people say it.
  counted_minutes AS (
    SELECT item_key, type, minute, sum(events) AS events, sum(people) AS people
    FROM (
      SELECT item_key, type, minute, 1 AS events, 0 AS people FROM events
      UNION ALL SELECT item_key, type, minute, 0, 1 FROM people
      UNION ALL SELECT item_key, type, minute, 1, 1 FROM standing
    ) AS shares
    GROUP BY 1, 2, 3
  ),
  counted_hours AS (
    SELECT item_key, type, minute / 60 AS hour, count(*) AS events, count(DISTINCT viewer) AS people FROM events GROUP BY 1, 2, 3
    UNION ALL SELECT item_key, type, minute / 60, count(*), count(*) FROM standing GROUP BY 1, 2, 3
  )`;

/** Each says which rows of a rollup differ from the recount. A row of zeros is as good as none. */
const COMPARISONS: Readonly<Record<string, string>> = {
  minutes: compare(
    'SELECT item_key, type, minute AS bucket, events, people FROM counted_minutes WHERE minute >= (SELECT minute FROM oldest)',
    'SELECT item_key, type, minute AS bucket, events, people FROM minutes WHERE minute >= (SELECT minute FROM oldest)',
  ),
  // One row a person, and in a minute in which there is something of theirs.
  people: compare(
    'SELECT item_key, type, minute / 60 AS bucket, count(DISTINCT viewer) AS events, count(DISTINCT viewer) AS people FROM events GROUP BY 1, 2, 3',
    `SELECT item_key, type, hour AS bucket, count(*) AS events, count(seen.viewer) AS people
     FROM people LEFT JOIN (SELECT DISTINCT viewer, item_key, type, minute FROM events) AS seen USING (viewer, item_key, type, minute)
     GROUP BY 1, 2, 3`,
  ),
  hours: compare(
    'SELECT item_key, type, hour AS bucket, events, people FROM counted_hours',
    'SELECT item_key, type, hour AS bucket, events, people FROM hours',
  ),
  days: compare(
    'SELECT item_key, type, hour / 24 AS bucket, sum(events) AS events, sum(people) AS people FROM counted_hours GROUP BY 1, 2, 3',
    'SELECT item_key, type, day AS bucket, events, people FROM days',
  ),
  totals: compare(
    'SELECT item_key, type, 0 AS bucket, sum(events) AS events, sum(people) AS people FROM counted_hours GROUP BY 1, 2',
    'SELECT item_key, type, 0 AS bucket, events, people FROM totals',
  ),
};

/** All that Groundswell's rollups say otherwise than its raw interactions; nothing may be dropped or erased from those. */
export async function recountRollups(url: string): Promise<string[]> {
  const differences: string[] = [];
  // Minutes that are older may be gone, or never have been kept.
  const fromMinute = oldestMinute(Date.now());
  for (const [name, statement] of Object.entries(COMPARISONS)) {
    const rows = await query(url, statement, [fromMinute]);
    differences.push(...rows.map((row) => `${name}: ${JSON.stringify(row)}`));
  }
  return differences;
}

function compare(counted: string, kept: string): string {
  return `WITH ${SHARES}, counted AS (${counted}), kept AS (${kept})
    SELECT item_key::text, type::text, bucket, counted.events::text AS counted_events, kept.events::text AS kept_events,
      counted.people::text AS counted_people, kept.people::text AS kept_people
    FROM counted FULL JOIN kept USING (item_key, type, bucket)
    WHERE coalesce(counted.events, 0) <> coalesce(kept.events, 0) OR coalesce(counted.people, 0) <> coalesce(kept.people, 0)`;
}
