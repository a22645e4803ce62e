import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packageRoot } from '../src/runtime/package-root.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'groundswell-lint-'));
  copyFileSync(join(packageRoot(), '.oxlintrc.json'), join(root, '.oxlintrc.json'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** By folder, which of these imports the linter refuses to the files in it. */
function refused(folders: readonly string[], imported: readonly string[]): Record<string, string[]> {
  for (const folder of folders) {
    mkdirSync(join(root, folder), { recursive: true });
    for (const [index, path] of imported.entries())
      writeFileSync(join(root, folder, `file-${index}.ts`), `import '${path}';\n`);
  }
  const oxlint = join(packageRoot(), 'node_modules/.bin/oxlint');
  const { stdout } = spawnSync(oxlint, ['--format', 'json'], { cwd: root, encoding: 'utf8' });
  const { diagnostics }: { diagnostics: { code: string; filename: string }[] } = JSON.parse(stdout);
  const files = new Set(
    diagnostics.filter(({ code }) => code.includes('no-restricted-imports')).map(({ filename }) => filename),
  );
  return Object.fromEntries(
    folders.map((folder) => [folder, imported.filter((_, index) => files.has(`${folder}/file-${index}.ts`))]),
  );
}

const DOMAIN = ['popularity', 'interactions', 'items', 'cache'];

it('domain folders import those below them, and none above', () => {
  const imported = [...DOMAIN, 'runtime'].map((other) => `../${other}/one.ts`);
  const above = DOMAIN.map((folder, index) => [`src/${folder}`, imported.slice(0, index)]);
  expect(
    refused(
      DOMAIN.map((folder) => `src/${folder}`),
      imported,
    ),
  ).toEqual(Object.fromEntries(above));
});

it('runtime and domain import nothing of what is started', () => {
  const imported = ['api', 'cli', 'import', 'cluster', 'demo', 'top'].map((other) => `../${other}/one.ts`);
  const folders = ['runtime', ...DOMAIN].map((name) => `src/${name}`);
  expect(refused(folders, imported)).toEqual(Object.fromEntries(folders.map((folder) => [folder, imported])));
});

it('nobody imports a barrel, or what is called utils', () => {
  const wrong = ['./index.ts', './within/index.ts', './utils/one.ts', './helpers.ts'];
  const within = ['runtime', ...DOMAIN, 'adapters', 'api', 'cli', 'import'].map((name) => `src/${name}`);
  const folders = ['src', ...within, 'worker'];
  const right = ['./record-index.ts', './within/one.ts'];
  expect(refused(folders, [...wrong, ...right])).toEqual(Object.fromEntries(folders.map((folder) => [folder, wrong])));
});
