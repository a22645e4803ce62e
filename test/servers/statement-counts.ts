import { query } from './query.ts';

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

export async function resetStatementCounts(url: string): Promise<void> {
  await query(
    url,
    `select pg_stat_statements_reset(0, (select oid from pg_database where datname = current_database()), 0)`,
  );
}
