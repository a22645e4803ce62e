import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareBinaries } from '../src/adapters/embedded/embedded-binaries.ts';

/** The stack runs Debian's Postgres; compose.yaml has a newer one, which is that of the embedded package. */
let postgres: string;
const data = mkdtempSync(join(tmpdir(), 'groundswell-postgres-'));
const file = (...path: string[]): string => join(import.meta.dirname, ...path);

beforeAll(async () => ({ postgres } = await prepareBinaries(null)));
afterAll(() => rmSync(data, { recursive: true }));

/** The server reads its configuration, says what it makes of one setting, and ends. */
async function setting(name: string, ...more: string[]): Promise<string> {
  const config = ['-c', `config_file=${file('postgres/postgresql.conf')}`];
  const { stdout } = await promisify(execFile)(postgres, ['-C', name, '-D', data, ...config, ...more]);
  return stdout.trim();
}

it('postgresql.conf is understood by the version that compose.yaml has', async () => {
  const { stdout } = await promisify(execFile)(postgres, ['--version']);
  const [major] = /\d+/.exec(stdout) ?? [];
  expect(readFileSync(file('compose.yaml'), 'utf8')).toContain(`image: postgres:${major}-bookworm`);
  expect(await setting('hba_file')).toBe('/etc/postgresql/pg_hba.conf');
  expect(await setting('max_slot_wal_keep_size')).toBe('8192');
  await expect(setting('hba_file', '-c', 'no_such_setting=1')).rejects.toThrow('no_such_setting');
});
