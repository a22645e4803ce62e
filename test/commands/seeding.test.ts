import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { query } from '../servers/query.ts';
import { testDirectory } from '../servers/test-run.ts';
import { waitFor } from '../servers/wait-for.ts';
import { SOURCES } from './command-root.ts';
import { commandEnvironment } from './run-command.ts';
import { graphql, startCommand } from './start-command.ts';

const COUNTS = `SELECT (SELECT count(*)::int FROM items) AS items, (SELECT count(*)::int FROM interactions) AS interactions,
  (SELECT count(*)::int FROM rejected) AS rejected`;

it('npm start that was killed while it made the demo makes it whole the next time', async () => {
  const dataDir = testDirectory('data');
  const ask = async (sql: string) => query(JSON.parse(readFileSync(join(dataDir, 'embedded.json'), 'utf8')).url, sql);
  const env = commandEnvironment({ DATA_DIR: dataDir, PORT: '0', METRICS_PORT: '0' });
  const killed = spawn(process.execPath, ['scripts/launch.mjs', 'main'], { cwd: SOURCES, env, stdio: 'ignore' });
  const ended = once(killed, 'exit');
  try {
    await waitFor('the books', async () => (await ask('SELECT id FROM items LIMIT 1')).length === 1, { everyMs: 5 });
  } finally {
    killed.kill('SIGKILL');
    await ended;
  }

  await using start = await startCommand('main', { DATA_DIR: dataDir }, SOURCES);
  expect(await ask(COUNTS)).toEqual([{ items: 200, interactions: 6_000, rejected: 0 }]);
  expect(await graphql(start.url, '{ popularItems(first: 1) { nodes { rank } } }')).toEqual({
    popularItems: { nodes: [{ rank: 1 }] },
  });
});
