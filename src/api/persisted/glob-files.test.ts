import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { globFiles } from './glob-files.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'groundswell-glob-'));
  await mkdir(join(root, 'web/v1'), { recursive: true });
  await mkdir(join(root, 'ios/v1'), { recursive: true });
  for (const name of ['a.json', 'b.json', 'a.jsonx', 'web/c.json', 'web/v1/d.json', 'ios/v1/e.json']) {
    await writeFile(join(root, name), '');
  }
  await symlink(join(root, 'a.json'), join(root, 'linked.json'));
});
afterAll(() => rm(root, { recursive: true }));

it.each([
  ['*.json', ['a.json', 'b.json', 'linked.json']],
  ['?.json', ['a.json', 'b.json']],
  ['web/**/*.json', ['web/c.json', 'web/v1/d.json']],
  ['web/**', ['web/c.json', 'web/v1/d.json']],
  ['*/v1/*.json', ['ios/v1/e.json', 'web/v1/d.json']],
  ['nope/*.json', []],
  ['nope.json', ['nope.json']],
])('%s names %j', async (pattern, expected) => {
  const found = await globFiles(join(root, pattern));
  expect(found.map((file) => relative(root, file))).toEqual(expected);
});
