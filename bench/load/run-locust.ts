import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { commandEnvironment } from '../../test/commands/run-command.ts';
import { freePort } from '../../test/servers/free-port.ts';
import { requireProgram } from '../../test/servers/programs.ts';
import { packageRoot } from '../../src/runtime/package-root.ts';

export interface LocustLoad {
  readonly url: string;
  /** From the root of the repository. */
  readonly locustfile: string;
  readonly users: number;
  /** New ones per second. */
  readonly spawnRate: number;
  /** From the first user on. */
  readonly seconds: number;
  /** Processes that send; one more only counts. */
  readonly workers: number;
  /** Where ledger and timeline go. */
  readonly output: string;
  /** A file whose values replace those of locust/load.toml. */
  readonly config: string;
}

export interface LocustResult {
  /** 1 when a request failed. */
  readonly exitCode: number | null;
  readonly log: string;
}

/** What users in the middle of something get to end it. */
const STOP_SECONDS = 15;
/** Before the stack on a shared machine, where this process may say so: late users would measure their own lateness. */
const PRIORITY = -10;
/** To start, to wait for the last answers, to end. */
const GRACE_MS = 90_000;

/** Users for a while, from several processes: one master, which sends nothing, and its workers. */
export async function runLocust(load: LocustLoad): Promise<LocustResult> {
  const port = String(await freePort());
  const processes = [
    startLocust(
      load,
      `--master --master-bind-host 127.0.0.1 --master-bind-port ${port} --headless --only-summary
       --expect-workers ${load.workers} --users ${load.users} --spawn-rate ${load.spawnRate}
       --run-time ${load.seconds}s --stop-timeout ${STOP_SECONDS}`.split(/\s+/),
    ),
    ...Array.from({ length: load.workers }, () =>
      startLocust(load, `--worker --master-host 127.0.0.1 --master-port ${port}`.split(' ')),
    ),
  ];
  const kill = (): void => processes.forEach(({ child }) => child.kill('SIGKILL'));
  const deadline = setTimeout(kill, load.seconds * 1_000 + GRACE_MS);
  try {
    const [exitCode = null] = await Promise.all(processes.map(({ ended }) => ended));
    return { exitCode, log: processes.map(({ log }) => log()).join('\n') };
  } finally {
    clearTimeout(deadline);
    kill();
  }
}

function startLocust({ url, locustfile, output, config }: LocustLoad, args: readonly string[]) {
  const child = spawn(requireProgram('locust'), ['--locustfile', locustfile, '--host', url, ...args], {
    cwd: packageRoot(),
    env: commandEnvironment({ LOAD_OUTPUT: output, LOAD_CONFIG: config, PYTHONDONTWRITEBYTECODE: '1' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid !== undefined && process.getuid?.() === 0) setPriority(child.pid, PRIORITY);
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log += text));
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { child, ended, log: () => log };
}
