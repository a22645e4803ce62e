import type { TestProject } from 'vitest/node';
import { startFromRelease } from './commands/command-root.ts';
import { failOnLeakedProcesses } from './servers/leaked-processes.ts';
import { provision } from './servers/provision.ts';
import { startSharedServers } from './servers/shared-servers.ts';
import { testRunId } from './servers/test-run.ts';

interface SharedSetup {
  projects: number;
  readonly started: ReturnType<typeof startSharedServers>;
  readonly release: Promise<void>;
}

declare global {
  // Every project evaluates this module anew: only the global object is common to them.
  var groundswellTestSetup: SharedSetup | undefined;
}

/**
 * Once for a run with integration tests in it, however many projects they are in: gets what is missing, starts the
 * shared servers, compiles the commands, and checks for leaks when the last project is done.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const runId = testRunId();
  const shared = (globalThis.groundswellTestSetup ??= {
    projects: 0,
    started: provision().then(startSharedServers),
    release: startFromRelease(),
  });
  shared.projects += 1;
  const [{ servers, stop }] = await Promise.all([shared.started, shared.release]);
  project.provide('sharedServers', servers);
  return async () => {
    shared.projects -= 1;
    if (shared.projects > 0) return;
    globalThis.groundswellTestSetup = undefined;
    await stop();
    await failOnLeakedProcesses(runId);
  };
}
