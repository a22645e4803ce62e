import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const text = readFileSync(join(import.meta.dirname, 'Dockerfile'), 'utf8');
const instructions = DockerfileParser.parse(text).getInstructions();
const said = (keyword: string): string[] =>
  instructions
    .filter((instruction) => instruction.getKeyword() === keyword)
    .map((instruction) => instruction.getArgumentsContent() ?? '');

it('the linter of Dockerfiles has nothing to say', () => {
  expect(
    validate(text).map(({ message, range }) => `line ${range.start.line + 1}: ${JSON.stringify(message)}`),
  ).toEqual([]);
});

it('every stage is of one image, of a Node that package.json allows, by version', () => {
  const images = said('FROM').map((from) => from.split(' ')[0]);
  expect(new Set(images).size).toBe(1);
  expect(images[0]).toMatch(/^node:(22|24)-bookworm-slim$/);
});

it('the last user is not root, and nothing comes after that is done as a user', () => {
  const keywords = instructions.map((instruction) => instruction.getKeyword());
  expect(said('USER').at(-1)).toBe('node');
  expect(keywords.slice(keywords.lastIndexOf('USER') + 1)).not.toContain('RUN');
});

it('nothing is fetched from outside but packages, and no secret is handed in', () => {
  expect(said('ADD')).toEqual([]);
  expect(said('ARG')).toEqual([]);
  expect(text).not.toMatch(/curl|wget|--mount=type=secret|PASSWORD|SECRET|TOKEN/);
});

it('processes are started without a shell, so that signals reach them', () => {
  for (const keyword of ['ENTRYPOINT', 'CMD']) expect(said(keyword)).toEqual([expect.stringMatching(/^\[".*"\]$/)]);
  expect(said('HEALTHCHECK')).toEqual([expect.stringMatching(/CMD \["node", /)]);
});

it('docs/deployment.md asks for an engine that knows every option of the health check', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/deployment.md'), 'utf8');
  const [, engine] = /Docker Engine (\d+)/.exec(page) ?? [];
  // https://docs.docker.com/reference/dockerfile/#healthcheck
  expect(text).toContain('--start-interval=');
  expect(Number(engine)).toBeGreaterThanOrEqual(25);
});
