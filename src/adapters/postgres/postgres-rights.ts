import { messageOf } from '../../runtime/errors.ts';
import type { Finding } from '../../runtime/finding.ts';
import { connectForChecks } from './postgres-session.ts';

interface Row {
  readonly role: string;
  readonly owner: boolean;
  /** Which of groundswell_api and groundswell_worker it is a member of. */
  readonly member_of: readonly string[];
  /** `table: SELECT, INSERT`, a line each: what those, or without any of them both, may do and this role may not. */
  readonly missing: readonly string[];
}

/** By the list that the migrations grant by. */
const RIGHTS = `
  WITH parts AS MATERIALIZED (
    SELECT rolname::text AS name FROM pg_roles
    WHERE rolname IN ('groundswell_api', 'groundswell_worker') AND pg_has_role(oid, 'USAGE')
  )
  SELECT current_user::text AS role,
    (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'interactions'::regclass) AS owner,
    ARRAY(SELECT name FROM parts ORDER BY 1) AS member_of,
    ARRAY(SELECT object || ': ' || string_agg(DISTINCT w."right", ', ' ORDER BY w."right")
      FROM wanted_rights() w CROSS JOIN unnest(w.objects) AS object
      WHERE (w.role IN (SELECT name FROM parts) OR NOT EXISTS (SELECT FROM parts))
        AND CASE w.kind WHEN 'TABLE' THEN NOT has_table_privilege(to_regclass(quote_ident(object)), w."right")
          ELSE NOT has_function_privilege(object, w."right") END
      GROUP BY object ORDER BY 1) AS missing`;

/** Whether the role of this URL can do what an API or a worker does, on a migrated database. Never rejects. */
export async function examineRights(part: string, url: string): Promise<Finding> {
  try {
    await using session = await connectForChecks(url);
    const { rows } = await session.client.query<Row>(RIGHTS);
    const row = rows[0];
    if (row === undefined) throw new Error('no answer');
    return { part, ...judged(row) };
  } catch (error) {
    return { part, ok: false, text: `cannot be read: ${messageOf(error)}` };
  }
}

function judged({ role, owner, member_of: memberOf, missing }: Row): Omit<Finding, 'part'> {
  if (owner)
    return { ok: true, text: `${role} owns the tables: for migrations and commands; more than APIs and workers need` };
  const parts = memberOf.map((name) => name.replace('groundswell_', ''));
  const who = parts.length === 1 ? parts.join() : 'api and worker';
  if (missing.length === 0) return { ok: true, text: `${role} may do what ${who} must` };
  const advice =
    parts.length === 0
      ? `GRANT groundswell_api TO "${role}" for an API, groundswell_worker for a worker`
      : 'npm run migrate grants it';
  return { ok: false, text: `${role} lacks ${missing.join('; ')}: ${advice}` };
}
