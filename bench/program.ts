import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { commandEnvironment } from '../test/commands/run-command.ts';
import { freePort } from '../test/servers/free-port.ts';
import { processTree, signalAll } from '../test/servers/processes.ts';
import { waitFor } from '../test/servers/wait-for.ts';
import PACKAGE from '../package.json' with { type: 'json' };
import { pinned, SERVER_CORE } from './pin.ts';

export const ROOT = join(import.meta.dirname, '..');
/** The compiled build, as it runs in production. */
const PRODUCTION = { NODE_ENV: 'production', LOG_LEVEL: 'warn', HOST: '127.0.0.1', SHUTDOWN_GRACE_MS: '0' };

export interface Program extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  output(): string;
}

export interface FinishedProgram {
  readonly output: string;
  readonly seconds: number;
}

/** What the package's script of that name gives to Node. */
export function scriptArguments(name: 'api' | 'worker' | 'import'): string[] {
  const [, , ...args] = PACKAGE.scripts[name].split(' ');
  return args;
}

type Environment = Readonly<Record<string, string>>;

/** `api` or `worker` on free ports, once it is live. */
export async function startOurs(name: 'api' | 'worker', env: Environment, core: number | null): Promise<Program> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const args = scriptArguments(name);
  const ports = { PORT: String(port), METRICS_PORT: String(metricsPort) };
  const program = launch(args, { ...PRODUCTION, ...ports, ...env }, core);
  await untilServing(program, `http://127.0.0.1:${metricsPort}/health/live`);
  return { ...program, url: `http://127.0.0.1:${port}` };
}

/** A file of `peers/` that listens on the port in its environment. */
export async function startPeer(file: string, env: Environment): Promise<Program> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = ['--import', 'tsx', `bench/peers/${file}`];
  const program = launch(args, { ...PRODUCTION, PORT: String(port), ...env }, SERVER_CORE);
  await untilServing(program, `${url}/`);
  return { ...program, url };
}

/** To its end; throws on a non-zero exit. */
export async function run(
  args: readonly string[],
  env: Environment,
  core: number | null = null,
): Promise<FinishedProgram> {
  const startedAt = performance.now();
  const program = launch(args, { ...PRODUCTION, ...env }, core);
  const exitCode = await program.ended;
  if (exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${exitCode}:\n${program.output()}`);
  return { output: program.output(), seconds: (performance.now() - startedAt) / 1_000 };
}

function launch(args: readonly string[], env: Environment, core: number | null) {
  const [command, all] = core === null ? [process.execPath, [...args]] : pinned(core, process.execPath, args);
  const child = spawn(command, all, { cwd: ROOT, env: commandEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    output: () => output,
    ended,
    exitCode: () => child.exitCode,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && pid !== 0) signalAll(processTree(pid).toReversed(), 'SIGKILL');
      await ended;
    },
  };
}

async function untilServing(program: ReturnType<typeof launch>, url: string): Promise<void> {
  try {
    await waitFor(`${url} to answer`, async () => program.exitCode() !== null || (await fetch(url)).ok);
    if (program.exitCode() !== null) throw new Error(`it ended with ${program.exitCode()}`);
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw new Error(`a program of the benchmark did not start:\n${program.output()}`, { cause: error });
  }
}
