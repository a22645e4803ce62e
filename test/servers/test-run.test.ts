import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { endLeakedProcesses } from './leaked-processes.ts';
import { listProcesses, processTree, signalAll } from './processes.ts';
import { processesOfRun, runDirectory, TEST_RUN_VARIABLE } from './test-run.ts';
import { waitFor } from './wait-for.ts';

const OWN_RUN = `
  import { mountDisk } from "${join(import.meta.dirname, 'mount-disk.ts')}";
  import { startPostgres } from "${join(import.meta.dirname, 'start-postgres.ts')}";
  import { startRedis } from "${join(import.meta.dirname, 'start-redis.ts')}";
  import { testRunId } from "${join(import.meta.dirname, 'test-run.ts')}";
  const redis = await startRedis();
  // Null where none can be mounted.
  await startPostgres({ disk: await mountDisk().catch(() => null) });
  redis.pause();
  console.log(testRunId());
  setInterval(() => undefined, 1000);
`;

test('servers end, and their files and disks go, when the process that started them is killed outright', async () => {
  const { [TEST_RUN_VARIABLE]: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', OWN_RUN], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line]: unknown[] = await once(createInterface(child.stdout), 'line');
  const id = String(line);
  expect(processesOfRun(id).filter(({ command }) => /redis-server|postgres/.test(command)).length).toBeGreaterThan(2);
  child.kill('SIGKILL');
  await waitFor('every process of that run to end', () => processesOfRun(id).length === 0);
  await waitFor('its directory to go', () => !existsSync(runDirectory(id)));
});

test("a process that a test leaves behind is found by the run's id and ended", async () => {
  const id = 'gs-run-of-the-leak-test';
  const leak = spawn('sleep', ['600'], { env: { ...process.env, [TEST_RUN_VARIABLE]: id }, detached: true });
  onTestFinished(() => void leak.kill('SIGKILL'));
  await once(leak, 'spawn');
  expect(await endLeakedProcesses(id, { graceMs: 200 })).toMatchObject([{ pid: leak.pid, command: 'sleep 600' }]);
  await waitFor('the leaked process to end', () => processesOfRun(id).length === 0);
  expect(await endLeakedProcesses(id, { graceMs: 200 })).toEqual([]);
});

test('a process tree is the process and everything below it', async () => {
  const shell = spawn('sh', ['-c', 'sleep 600 & wait'], { detached: true });
  await once(shell, 'spawn');
  const pid = shell.pid ?? 0;
  await waitFor("the shell's child", () => processTree(pid).length === 2);
  const tree = processTree(pid);
  signalAll(tree, 'SIGKILL');
  await waitFor('the tree to end', () => !listProcesses().some((candidate) => tree.includes(candidate.pid)));
  expect(processTree(pid)).toEqual([]);
});
