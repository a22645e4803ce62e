import { query } from '../test/servers/query.ts';

export interface CommitRate {
  readonly rows: number;
  readonly commits: number;
  /** From the first to the last commit, by Postgres's own commit times; the first batch is not in it. */
  readonly perSecond: number;
}

/** How fast the rows of a table came in. */
export async function commitRate(url: string, tableName: 'interactions' | 'bare'): Promise<CommitRate> {
  const [row] = await query(
    url,
    `WITH commits AS (SELECT pg_xact_commit_timestamp(xmin) AS at, count(*) AS rows FROM ${tableName} GROUP BY xmin)
     SELECT sum(rows)::float8 AS rows, count(*)::float8 AS commits,
       (sum(rows) - (array_agg(rows ORDER BY at))[1])::float8 / extract(epoch FROM max(at) - min(at))::float8 AS per_second
     FROM commits`,
  );
  return { rows: Number(row?.['rows']), commits: Number(row?.['commits']), perSecond: Number(row?.['per_second']) };
}
