import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../src/runtime/package-root.ts';

const folder = join(packageRoot(), 'prisma/migrations');
const names = readdirSync(folder).filter((name) => !name.includes('.'));
/** There on Linux on x64 alone, where CI runs. */
const squawk = join(packageRoot(), 'node_modules/@squawk-cli/linux-x64/bin/squawk');

/** Names of the rules that a script breaks, under the settings of this package. */
function broken(sql: string): string[] {
  try {
    execFileSync(squawk, ['--reporter', 'json', '--stdin-filepath', 'new.sql'], { cwd: packageRoot(), input: sql });
    return [];
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    const found: { rule_name: string }[] = JSON.parse(output);
    return found.map(({ rule_name: rule }) => rule);
  }
}

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('the check of migrations', () => {
  it.each([
    ['ALTER TABLE items DROP COLUMN title;', 'ban-drop-column'],
    ['ALTER TABLE items RENAME COLUMN title TO name;', 'renaming-column'],
    ['DROP TABLE people;', 'ban-drop-table'],
    ['ALTER TABLE items ALTER COLUMN title TYPE varchar(9);', 'changing-column-type'],
    ['ALTER TABLE items ADD COLUMN more text NOT NULL;', 'adding-required-field'],
    ['ALTER TABLE items ADD CONSTRAINT named CHECK (title <> $$$$);', 'constraint-missing-not-valid'],
  ])('refuses %s', (sql, rule) => {
    expect(broken(sql)).toContain(rule);
  });

  it('lets through what only adds', () => {
    expect(broken('ALTER TABLE items ADD COLUMN more text; CREATE TABLE more (id bigint PRIMARY KEY);')).toEqual([]);
  });
});

/** What takes away is written with `-- squawk-ignore ban-drop-column`, and raises the floor: older versions then stay not ready. */
it.each(names)('%s takes nothing away from older versions, or says which they are', (name) => {
  const sql = readFileSync(join(folder, name, 'migration.sql'), 'utf8');
  const takesAway = /squawk-ignore(?:-file)? [^\n]*(?:ban-drop|renaming|changing-column-type)/.test(sql);
  if (takesAway) expect(sql).toMatch(/UPDATE "schema_floor" SET "migration" = '\d{14}_\w+'/);
});
