import { expect, it } from 'vitest';
import { summaryOf } from './traced-adapter.ts';

it.each([
  ['BEGIN', 'BEGIN'],
  ['SELECT id, title FROM items WHERE id = ANY($1::text[])', 'SELECT items'],
  ['SELECT "public"."items"."key" FROM "public"."items" WHERE 1=1', 'SELECT public.items'],
  ['\n WITH input AS (SELECT * FROM unnest($1)), fresh AS (\n INSERT INTO interactions (id) …', 'INSERT interactions'],
  ['DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox)', 'DELETE outbox'],
  ['UPDATE catalogue_state SET generation = generation + 1', 'UPDATE catalogue_state'],
  ['SELECT pg_try_advisory_xact_lock($1) AS led', 'SELECT'],
  ['', 'SQL'],
])('%s is shown as %s', (sql, summary) => {
  expect(summaryOf(sql)).toBe(summary);
});
