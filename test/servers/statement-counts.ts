import { query } from './query.ts';
import { waitFor } from './wait-for.ts';

export type StatementCount = { query: string; calls: number; rows: number };

/**
 * What the server behind `url` has executed in that one database since `resetStatementCounts`, by pg_stat_statements,
 * whose own statements are left out. Primary and replica count apart.
 */
export async function statementCounts(url: string): Promise<StatementCount[]> {
  const counts = await query(
    url,
    `select query, calls::int, rows::int from pg_stat_statements
     where dbid = (select oid from pg_database where datname = current_database())
       and query not like '%pg_stat_statements%'
     order by calls desc, query`,
  );
  return counts.map(({ query: statement, calls, rows }) => ({
    query: String(statement),
    calls: Number(calls),
    rows: Number(rows),
  }));
}

/** A replica may cancel it, for a conflict with what it replays. */
export async function resetStatementCounts(url: string): Promise<void> {
  const reset = `select pg_stat_statements_reset(0, (select oid from pg_database where datname = current_database()), 0)`;
  await waitFor('the counts to be reset', async () => (await query(url, reset)).length === 1);
}
