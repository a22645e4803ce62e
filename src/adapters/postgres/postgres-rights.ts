import type { Finding } from '../../runtime/finding.ts';
import { connectForChecks } from './postgres-session.ts';

interface Row {
  readonly role: string;
  readonly may_create: boolean;
  /** Tables whose partitions this role could neither make nor drop. */
  readonly not_owned: readonly string[];
  /** `table: SELECT, INSERT`, a line each. */
  readonly missing: readonly string[];
}

/** Of the tables, partitions left out: their rows are reached through the table. Identity columns need no right of their own. */
const RIGHTS = `
  SELECT current_user AS role, has_schema_privilege(current_schema(), 'CREATE') AS may_create,
    array(SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
      AND c.relkind = 'p' AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1) AS not_owned,
    array(SELECT c.relname || ': ' || string_agg(wanted.right, ', ' ORDER BY wanted.right)
      FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted("right")
      WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND NOT has_table_privilege(c.oid, wanted.right)
        AND (c.relname <> '_prisma_migrations' OR wanted.right = 'SELECT')
      GROUP BY c.relname ORDER BY 1) AS missing`;

/** Whether the role of this URL can do what API and worker do, on a migrated database. Never rejects. */
export async function examineRights(part: string, url: string): Promise<Finding> {
  try {
    await using session = await connectForChecks(url);
    const { rows } = await session.client.query<Row>(RIGHTS);
    const row = rows[0];
    if (row === undefined) throw new Error('no answer');
    const problems = problemsOf(row);
    return problems.length === 0
      ? { part, ok: true, text: `${row.role} reads and writes every table and makes partitions` }
      : { part, ok: false, text: problems.join('; ') };
  } catch (error) {
    return { part, ok: false, text: `cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function problemsOf({ role, may_create: mayCreate, not_owned: notOwned, missing }: Row): string[] {
  const name = `"${role}"`;
  return [
    ...(missing.length === 0
      ? []
      : [
          `${role} lacks ${missing.join('; ')}: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${name}`,
        ]),
    ...(notOwned.length === 0
      ? []
      : [`${role} does not own ${notOwned.join(', ')}, so it makes no partitions: GRANT their owner TO ${name}`]),
    ...(mayCreate
      ? []
      : [`${role} may not create tables, which partitions are: GRANT CREATE ON SCHEMA public TO ${name}`]),
  ];
}
