import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { listProcesses, processTree, signalAll } from './processes.ts';
import { testRunId } from './test-run.ts';
import type { User } from './unprivileged-user.ts';
import { waitFor } from './wait-for.ts';

export type ServerControls = {
  /** SIGKILL to the server and everything below it, as when its machine dies. Data stays: `restart` brings it back. */
  kill: () => Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause: () => void;
  resume: () => void;
  /** Ends it in good order, as its machine would at a shutdown. Data stays. */
  terminate: () => Promise<void>;
  /** Ends it in good order if it runs, then starts it on the same port and data. Resolves once it serves. */
  restart: () => Promise<void>;
  /** Of the server and everything below it; none while it does not run. */
  pids: () => number[];
  /** What it has printed. */
  output: () => string;
  /** Ends it and removes its data. Safe to call twice. */
  stop: () => Promise<void>;
  [Symbol.asyncDispose]: () => Promise<void>;
};

export type ServerProcess = ServerControls & { start: () => Promise<void> };

export type ServerProcessOptions = {
  name: string;
  /** Its own, removed by `stop`. The working directory too, by which stray processes are found. */
  directory: string;
  command: string;
  arguments: readonly string[];
  env?: Record<string, string>;
  user?: User | undefined;
  /** Resolves to true once the server answers a client. A throw means not yet. */
  isReady: () => Promise<boolean>;
  /** What makes it end in good order at a `restart`. */
  restartSignal?: NodeJS.Signals;
  /** What ends it fast at `stop`: SIGKILL, unless it would leave something behind. */
  stopSignal?: NodeJS.Signals;
};

const STOP_MS = 15_000;
/** One that ends is noticed at once; on a machine that others keep busy RabbitMQ has taken over a minute. */
const START_MS = 180_000;

/** A server as a child process that can be faulted: its controls reach the whole process tree. */
export function createServerProcess(options: ServerProcessOptions): ServerProcess {
  const { name, directory, isReady, restartSignal = 'SIGTERM', stopSignal = 'SIGKILL' } = options;
  const logFile = join(directory, `${name}.log`);
  let child: ChildProcess | undefined;
  let spawnError: Error | undefined;

  const isUp = () => child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  const tree = () => (child?.pid === undefined ? [] : processTree(child.pid));
  const output = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');

  async function start(): Promise<void> {
    const file = openSync(logFile, 'a');
    spawnError = undefined;
    child = spawn(options.command, options.arguments, {
      cwd: directory,
      env: { ...process.env, GROUNDSWELL_TEST_RUN: testRunId(), ...options.env },
      ...options.user,
      // Its own process group: Ctrl-C at the terminal goes to the test runner, which then stops the servers.
      detached: true,
      stdio: ['ignore', file, file],
    });
    closeSync(file);
    child.once('error', (error) => (spawnError = error));
    child.unref();
    let died = false;
    try {
      await waitFor(
        `${name} to serve`,
        async () => {
          died = spawnError !== undefined || !isUp();
          return died || (await isReady());
        },
        { deadlineMs: START_MS },
      );
      if (died) throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}`, { cause: spawnError });
    } catch (error) {
      signalAll(tree(), 'SIGKILL');
      const tail = output().split('\n').slice(-30).join('\n');
      throw new Error(`${name} did not start; the end of its log:\n${tail}`, { cause: error });
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!isUp()) return;
    const pids = tree();
    signalAll(pids, 'SIGCONT');
    // Killed: the whole tree at once. Asked to end: the server tells its own children.
    signalAll(signal === 'SIGKILL' ? pids : pids.slice(0, 1), signal);
    const isGone = () => !isUp() && listProcesses(pids).length === 0;
    try {
      await waitFor(`${name} to end`, isGone, { deadlineMs: STOP_MS, everyMs: 20 });
    } catch {
      signalAll([...pids, ...tree()], 'SIGKILL');
      await waitFor(`${name} to end after SIGKILL`, isGone, { everyMs: 20 });
    }
  }

  async function stop(): Promise<void> {
    await end(stopSignal);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }

  return {
    start,
    kill: () => end('SIGKILL'),
    pause: () => signalAll(tree(), 'SIGSTOP'),
    resume: () => signalAll(tree(), 'SIGCONT'),
    terminate: () => end(restartSignal),
    pids: () => (isUp() ? tree() : []),
    output,
    restart: async () => {
      await end(restartSignal);
      await start();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
