import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withEnvFile } from './env-file.ts';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'groundswell-env-'));
  file = join(folder, 'groundswell.env');
});
afterAll(() => rmSync(folder, { recursive: true }));

it('the file adds what the environment does not set, and an empty variable is not set', () => {
  writeFileSync(file, '# ours\nPORT=1\nexport HOST="::1"\nLOG_LEVEL=warn\n');
  const env = { ENV_FILE: file, PORT: '2', LOG_LEVEL: '' };
  expect(withEnvFile(env)).toEqual({ ok: true, env: { ENV_FILE: file, PORT: '2', HOST: '::1', LOG_LEVEL: 'warn' } });
});

it('without a file the environment is all there is', () => {
  expect(withEnvFile({ PORT: '2' })).toEqual({ ok: true, env: { PORT: '2' } });
});

it.each([
  ['that is not there', null, 'cannot be read (ENOENT)'],
  ['that chooses the code to run', 'NODE_ENV=production', 'sets NODE_ENV, which belongs in the environment'],
])('a file %s is a fault', (_, text, fault) => {
  const path = join(folder, 'faulty.env');
  if (text !== null) writeFileSync(path, text);
  expect(withEnvFile({ ENV_FILE: path })).toEqual({ ok: false, fault });
});
