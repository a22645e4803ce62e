import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { cpuSeconds, LOAD_CORE, pinned } from './pin.ts';
import type { Program } from './program.ts';

export interface Load {
  readonly seconds: number;
  readonly connections: number;
  /** A wrk script that makes the requests. */
  readonly script: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  /** Requests per second that the server itself was on a core: what neighbours on the machine do matters less to it. */
  readonly perCpuSecond: number;
  /** Of the time, how much the server was on its core. */
  readonly serverBusy: number;
  readonly p99Ms: number;
}

export function requireWrk(): void {
  if (spawnSync('wrk', ['-v']).error !== undefined) {
    throw new Error('the load generator wrk is not on this machine; on Debian: apt-get install wrk');
  }
}

/** Loads the server with wrk. Throws when an answer was not 2xx or a connection broke. */
export async function load(server: Program, { seconds, connections, script }: Load): Promise<LoadResult> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '--timeout', '15s', '-s', script, server.url];
  const cpuBefore = cpuSeconds(server.pid);
  const startedAt = performance.now();
  const { stdout } = await promisify(execFile)(...pinned(LOAD_CORE, 'wrk', args));
  const elapsed = (performance.now() - startedAt) / 1_000;
  const cpu = cpuSeconds(server.pid) - cpuBefore;
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`the load met errors:\n${stdout}\n${server.output()}`);
  const figures = wrkFigures(stdout);
  return { ...figures, perCpuSecond: figures.requests / cpu, serverBusy: cpu / elapsed };
}

/** What wrk says of a run, with `--latency`. */
export function wrkFigures(output: string): Pick<LoadResult, 'requests' | 'perSecond' | 'p99Ms'> {
  return {
    requests: Number(/(\d+) requests in/.exec(output)?.[1]),
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    p99Ms: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(output)),
  };
}

function milliseconds(match: RegExpExecArray | null): number {
  const value = Number(match?.[1]);
  if (match?.[2] === 'us') return value / 1_000;
  return match?.[2] === 's' ? value * 1_000 : value;
}
