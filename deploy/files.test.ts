import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { packageRoot } from '../src/runtime/package-root.ts';

const HEADING = '## What each file is, and how it is proven';
/** Made by make-secrets and by the dashboards; never committed. */
const GENERATED = /^(?:\.env$|secrets\/|grafana\/dashboards\/)/;
/** Where tests of these files are. */
const TESTS = ['deploy', 'test'];

interface Row {
  /** A file of deploy/, or all of a folder with one ending: `prometheus/rules/*.yml`. Never a folder with what lies deeper. */
  readonly patterns: readonly string[];
  readonly proof: string;
}
let rows: Row[];
let files: string[];

beforeAll(() => {
  const page = readFileSync(join(packageRoot(), 'docs/deployment.md'), 'utf8');
  const section = page.slice(page.indexOf(HEADING)).split(/\n## /)[0] ?? '';
  rows = [...section.matchAll(/^\| (`.+?) \|(.*)\|(.*)\|$/gm)].map(([, names = '', , proof = '']) => ({
    patterns: quoted(names),
    proof,
  }));
  files = filesIn('deploy').filter((file) => !GENERATED.test(file));
});

function filesIn(folder: string): string[] {
  const root = join(packageRoot(), folder);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.includes('node_modules') && statSync(join(root, path)).isFile())
    .toSorted();
}

function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}

function stands(pattern: string, file: string): boolean {
  const expression = pattern.replaceAll('.', String.raw`\.`).replaceAll('*', '[^/]*');
  return new RegExp(`^${expression}$`).test(file);
}

it('docs/deployment.md names every file of deploy/, once, and none that is not there', () => {
  const patterns = rows.flatMap((row) => row.patterns);
  const named = files.map((file) => [file, patterns.filter((pattern) => stands(pattern, file))] as const);
  expect(named.filter(([, by]) => by.length !== 1)).toEqual([]);
  expect(patterns.filter((pattern) => !files.some((file) => stands(pattern, file)))).toEqual([]);
});

it('it says of each how it is proven, by tests that there are', () => {
  const tests = TESTS.flatMap(filesIn).map((path) => path.slice(path.lastIndexOf('/') + 1));
  for (const { patterns, proof } of rows) {
    expect([patterns, proof.trim()]).toEqual([patterns, expect.stringMatching(/\w/)]);
    const mentioned = quoted(proof).filter((name) => name.endsWith('.test.ts') || name.endsWith('.faults.ts'));
    expect(mentioned.filter((name) => !tests.includes(name))).toEqual([]);
  }
});
