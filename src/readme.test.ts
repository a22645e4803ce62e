import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from './runtime/package-root.ts';

const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(packageRoot(), 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
/** Of who changes the code: CONTRIBUTING.md has them. */
const CONTRIBUTORS = ['check', 'bench', 'generate', 'format'];
const RUN = /npm run (?:-s )?([a-z]+(?::[a-z]+)*)/g;
/** Paths as the documents write them: of a folder or a file in it, or of a file that stands at the top. */
const PATH =
  /`((?:src|worker|test|scripts|bench|prisma|docs)\/[\w./-]*|\.[\w]+\/\w+|\.oxlintrc\.json|schema\.graphql)`/g;

function read(path: string): string {
  return readFileSync(join(packageRoot(), path), 'utf8');
}

function found(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].flatMap(([, one]) => one ?? []))];
}

function scripts(): string[] {
  const { scripts: all }: { scripts: Record<string, string> } = JSON.parse(read('package.json'));
  return Object.keys(all);
}

it.each(DOCUMENTS)('every command in %s is a script of the package', (path) => {
  const commands = found(read(path), RUN);
  expect(commands.filter((command) => !scripts().includes(command))).toEqual([]);
});

it('the README names every command but those for contributors', () => {
  const named = [...found(read('README.md'), RUN), 'start', 'test'];
  expect(scripts().filter((script) => !CONTRIBUTORS.includes(script) && !named.includes(script))).toEqual([]);
});

it.each(DOCUMENTS)('every file and link that %s names exists', (path) => {
  const text = read(path);
  const links = found(text, /\]\((?!https?:)([^)#]+)\)/g).map((link) => join(dirname(path), link));
  const missing = [...found(text, PATH), ...links].filter((named) => !existsSync(join(packageRoot(), named)));
  expect(missing).toEqual([]);
});

/** `CLIENT_GONE` is for the log: nobody is there to read it. */
it('every error code that the API or nginx answers with is in docs/clients.md', () => {
  const sources = readdirSync(join(packageRoot(), 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  );
  const ours = sources.flatMap((name) =>
    found(read(`src/${name}`), /new (?:Http|Public)Error\(\s*(?:\d+,\s*)?'([A-Z_]+)'/g),
  );
  const ofNginx = found(read('deploy/nginx/maps.conf'), /"code":"([A-Z_]+)"/g);
  expect(ours.length).toBeGreaterThan(20);
  expect(ofNginx).toContain('RATE_LIMITED');
  const text = read('docs/clients.md');
  const missing = [...new Set([...ours, ...ofNginx])].filter((code) => !text.includes(`\`${code}\``));
  expect(missing).toEqual(['CLIENT_GONE']);
});

it('the README has commands and paths to look for', () => {
  expect(found(read('README.md'), RUN).length).toBeGreaterThan(5);
  expect(found(read('docs/architecture.md'), PATH).length).toBeGreaterThan(15);
});
