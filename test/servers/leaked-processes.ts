import { signalAll, type ProcessInfo } from './processes.ts';
import { processesOfRun } from './test-run.ts';
import { waitFor } from './wait-for.ts';

/** What the test runner itself runs, and ends after this check. */
const RUNNERS_OWN = /node_modules\/(vitest|tinypool|@esbuild|esbuild)\//;

/** Ends whatever tests of the run left running, and answers what that was. What is just ending is given some seconds. */
export async function endLeakedProcesses(runId: string, { graceMs = 5_000 } = {}): Promise<ProcessInfo[]> {
  const leaked = () => processesOfRun(runId).filter(({ command }) => !RUNNERS_OWN.test(command));
  try {
    await waitFor('every process of the run to end', () => leaked().length === 0, { deadlineMs: graceMs });
    return [];
  } catch {
    const found = leaked();
    signalAll(
      found.map(({ pid }) => pid),
      'SIGKILL',
    );
    return found;
  }
}

/** Ends what the run left, and fails it for that. Vitest only logs what a teardown throws, so the exit code is set too. */
export async function failOnLeakedProcesses(runId: string): Promise<void> {
  const leaked = await endLeakedProcesses(runId);
  if (leaked.length === 0) return;
  process.exitCode = 1;
  const list = leaked.map(({ pid, command }) => `  ${pid} ${command.slice(0, 200)}`).join('\n');
  throw new Error(`tests left processes running (now killed):\n${list}`);
}
