import { expect, it } from 'vitest';
import { testDirectory } from '../servers/test-run.ts';
import { SOURCES } from './command-root.ts';
import { graphql, startCommand } from './start-command.ts';

it('npm start on a new folder answers within 10 s, and Ctrl-C ends it with 0', async () => {
  const startedAtMs = performance.now();
  await using start = await startCommand('main', { DATA_DIR: testDirectory('data') }, SOURCES, ['npm', 'start']);
  const popular = await graphql(start.url, '{ popularItems(first: 1) { nodes { rank } } }');
  expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  expect(popular).toMatchObject({ popularItems: { nodes: expect.any(Array) } });
  start.signal('SIGINT');
  expect(await start.ended()).toBe(0);
});
