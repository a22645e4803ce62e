import { spawn } from 'node:child_process';
import { CONFIG_VARIABLES } from '../../src/config-variables.ts';
import { testRunId, TEST_RUN_VARIABLE } from '../servers/test-run.ts';
import { commandRoot } from './command-root.ts';

export interface FinishedCommand {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing of this machine's own configuration, then `env`. */
export function commandEnvironment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const clean = { ...process.env };
  for (const { name } of CONFIG_VARIABLES) delete clean[name];
  return { ...clean, [TEST_RUN_VARIABLE]: testRunId(), ...env };
}

/** Runs one of the package's commands to its end; `root` may be any copy of the package. `meanwhile` may send it signals. */
export function runCommand(
  name: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  root: string = commandRoot(),
  meanwhile?: (signal: (signal: NodeJS.Signals) => void) => Promise<void>,
): Promise<FinishedCommand> {
  const child = spawn(process.execPath, ['scripts/launch.mjs', name, ...args], {
    cwd: root,
    env: commandEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    meanwhile?.((signal) => void child.kill(signal)).catch(reject);
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}
