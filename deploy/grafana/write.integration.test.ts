import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { testDirectory } from '../../test/servers/test-run.ts';

it('npm run dashboards writes a file for each of the five dashboards, named by its uid', async () => {
  const folder = join(testDirectory('dashboards'), 'new');
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'dashboards', '--', folder], {
    cwd: packageRoot(),
  });
  const files = readdirSync(folder);
  expect(stdout.trim().split('\n').toSorted()).toEqual(files.map((file) => join(folder, file)).toSorted());
  const written = files.map((file): { uid: string; title: string } =>
    JSON.parse(readFileSync(join(folder, file), 'utf8')),
  );
  expect(written.map(({ uid }) => `${uid}.json`)).toEqual(files);
  expect(files.toSorted()).toEqual(
    ['api', 'broker', 'database', 'overview', 'worker'].map((name) => `groundswell-${name}.json`),
  );
  expect(new Set(written.map(({ title }) => title)).size).toBe(files.length);
});
