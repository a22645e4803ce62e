import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { readTimeline } from '../../bench/load/timeline.ts';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { commandEnvironment } from '../commands/run-command.ts';
import { requireProgram } from '../servers/programs.ts';
import { testDirectory } from '../servers/test-run.ts';

/** Debian's, which its Locust is a package of. */
const PYTHON = '/usr/bin/python3';
const TICKS = `
import json, sys
from shapes import chosen_shape
shape, ticks = chosen_shape()(), []
for second in json.loads(sys.argv[1]):
    shape.get_run_time = lambda: second
    ticks.append(shape.tick())
print(json.dumps(ticks))`;

/** Users and how many are started or stopped per second, by Locust's own clock; null: the run ends. */
async function ticks(shape: string, seconds: readonly number[], users = 2_000): Promise<unknown> {
  const { stdout } = await promisify(execFile)(PYTHON, ['-c', TICKS, JSON.stringify(seconds)], {
    env: commandEnvironment({
      PYTHONPATH: join(packageRoot(), 'locust'),
      PYTHONDONTWRITEBYTECODE: '1',
      LOAD_SHAPE: shape,
      LOAD_USERS: String(users),
    }),
  });
  return JSON.parse(stdout);
}

it('ramp goes up in four steps, holds the last one, and ends', async () => {
  expect(await ticks('ramp', [0, 59.9, 60, 120, 180, 299.9, 300])).toEqual([
    [500, 20],
    [500, 20],
    [1_000, 20],
    [1_500, 20],
    [2_000, 20],
    [2_000, 20],
    null,
  ]);
});

it('spike goes to ten times as many for a minute, and back', async () => {
  expect(await ticks('spike', [0, 60, 119.9, 120, 179.9, 180], 500)).toEqual([
    [50, 50],
    [500, 100],
    [500, 100],
    [50, 100],
    [50, 100],
    null,
  ]);
});

it('soak holds half of them for four hours', async () => {
  expect(await ticks('soak', [0, 14_399, 14_400])).toEqual([[1_000, 20], [1_000, 20], null]);
});

it('there is somebody in every stage, however few LOAD_USERS are', async () => {
  expect(await ticks('spike', [0, 60], 1)).toEqual([
    [1, 50],
    [1, 100],
  ]);
});

it('Locust follows the shape that LOAD_SHAPE names, and ends by itself after its last stage', async () => {
  const folder = testDirectory('shape');
  const config = join(folder, 'load.toml');
  const stages = '[{ seconds = 3, users = 0.5, spawn_rate = 50 }, { seconds = 3, users = 1.0, spawn_rate = 50 }]';
  writeFileSync(config, `[shapes]\ntwo = ${stages}\n`);
  // Nobody is there: users are counted, whatever they are answered.
  const args = ['--locustfile', 'locust/locustfile.py', '--headless', '--host', 'http://127.0.0.1:1'];
  const run = promisify(execFile)(requireProgram('locust'), args, {
    cwd: packageRoot(),
    env: commandEnvironment({
      LOAD_OUTPUT: folder,
      LOAD_CONFIG: config,
      LOAD_SHAPE: 'two',
      LOAD_USERS: '8',
      PYTHONDONTWRITEBYTECODE: '1',
    }),
    timeout: 60_000,
  });
  // That they all failed.
  await expect(run).rejects.toMatchObject({ code: 1, killed: false });
  const users = readTimeline(folder).seconds.map((second) => second.users);
  expect(users.filter((count) => count === 4).length).toBeGreaterThanOrEqual(1);
  expect(users.filter((count) => count === 8).length).toBeGreaterThanOrEqual(1);
  expect(Math.max(...users)).toBe(8);
  expect(users.lastIndexOf(4)).toBeLessThan(users.indexOf(8));
});
