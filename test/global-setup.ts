import type { TestProject } from 'vitest/node';
import { endLeakedProcesses } from './servers/leaked-processes.ts';
import { provision } from './servers/provision.ts';
import { startSharedServers } from './servers/shared-servers.ts';
import { testRunId } from './servers/test-run.ts';

/** Once for a run with integration tests in it: gets what is missing, starts the shared servers, checks for leaks. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await provision();
  const runId = testRunId();
  const { servers, stop } = await startSharedServers();
  project.provide('sharedServers', servers);
  return async () => {
    await stop();
    const leaked = await endLeakedProcesses(runId);
    if (leaked.length === 0) return;
    // Vitest only logs what a teardown throws.
    process.exitCode = 1;
    const list = leaked.map(({ pid, command }) => `  ${pid} ${command.slice(0, 200)}`).join('\n');
    throw new Error(`tests left processes running (now killed):\n${list}`);
  };
}
