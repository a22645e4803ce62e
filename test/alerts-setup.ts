import { failOnLeakedProcesses } from './servers/leaked-processes.ts';
import { provision } from './servers/provision.ts';
import { testRunId } from './servers/test-run.ts';

/** For tests that start all their servers themselves. */
export async function setup(): Promise<() => Promise<void>> {
  const runId = testRunId();
  await provision();
  return () => failOnLeakedProcesses(runId);
}
