import { spawn } from 'node:child_process';
import { freePort } from '../servers/free-port.ts';
import { listProcesses, processTree, signalAll } from '../servers/processes.ts';
import { waitFor } from '../servers/wait-for.ts';
import { commandRoot } from './command-root.ts';
import { commandEnvironment } from './run-command.ts';

export interface RunningCommand {
  [Symbol.asyncDispose](): Promise<void>;
  readonly url: string;
  readonly metricsUrl: string;
  output(): string;
  pid(): number;
  /** The pids of the API processes that it forked. */
  apiProcesses(): number[];
  /** Null while it runs. */
  exitCode(): number | null;
  signal(signal: NodeJS.Signals): void;
  /** Resolves to the exit code. */
  ended(): Promise<number | null>;
}

/** Starts `main`, `api` or `worker`, on free ports unless `env` names them, and waits until it listens. Killed, children too, when disposed. */
export async function startCommand(
  name: string,
  env: Readonly<Record<string, string>>,
  root: string = commandRoot(),
  [program, ...args]: readonly [string, ...string[]] = [process.execPath, 'scripts/launch.mjs', name],
): Promise<RunningCommand> {
  const port = Number(env['PORT'] ?? (await freePort()));
  const metricsPort = Number(env['METRICS_PORT'] ?? (await freePort()));
  const child = spawn(program, args, {
    cwd: root,
    env: commandEnvironment({ PORT: String(port), METRICS_PORT: String(metricsPort), ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const closed = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const metricsUrl = `http://127.0.0.1:${metricsPort}`;
  const command: RunningCommand = {
    url: `http://127.0.0.1:${port}`,
    metricsUrl,
    output: () => output,
    pid: () => child.pid ?? 0,
    apiProcesses: () =>
      listProcesses().flatMap(({ pid, parentPid, command: line }) =>
        parentPid === child.pid && line.endsWith('launch.mjs api') ? [pid] : [],
      ),
    exitCode: () => child.exitCode,
    signal: (signal) => void child.kill(signal),
    ended: () => closed,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.pid !== undefined) signalAll(processTree(child.pid).toReversed(), 'SIGKILL');
      await closed;
    },
  };
  try {
    await waitFor(
      `${name} to listen`,
      async () => child.exitCode !== null || (await fetch(`${metricsUrl}/health/live`)).ok,
      { deadlineMs: 90_000 },
    );
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${output}`);
  } catch (error) {
    await command[Symbol.asyncDispose]();
    throw error;
  }
  return command;
}

/** The `data` of an answer. Throws on errors. */
export async function graphql(url: string, query: string, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
  const body: unknown = await response.json();
  if (typeof body === 'object' && body !== null && 'data' in body && !('errors' in body)) return body.data;
  throw new Error(`${response.status}: ${JSON.stringify(body)}`);
}
