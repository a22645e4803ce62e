import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { wrkFigures } from '../wrk.ts';
import { createCpuMeter, sumOf } from './cpu-meter.ts';
import type { LoadedSystem } from './loaded-system.ts';
import { untilRecorded } from './until-recorded.ts';

export interface Saturated {
  readonly requests: number;
  /** By the clock; the load generator and the stack share the machine. */
  readonly perSecond: number;
  readonly p99Ms: number;
  /** Per second of CPU that all parts of the stack together were given. */
  readonly perCpuSecond: number;
  readonly cpuSeconds: ReadonlyMap<string, number>;
  /** Answers that were no success. */
  readonly errors: number;
}

export interface Saturation {
  /** Of the list for everybody. */
  readonly read: Saturated;
  /** Of single interactions; its CPU includes recording them to the last. */
  readonly write: Saturated & { readonly recorded: number; readonly drainSeconds: number };
}

const CONNECTIONS = 64;
/** Until both are as fast as they get: compiled, connected, cached. */
const WARM_UP_SECONDS = 8;

/** As many requests as it takes, closed loop: each of 64 connections asks again once it was answered. */
export async function saturate(system: LoadedSystem, seconds: number): Promise<Saturation> {
  const { readScript, writeScript, firstRead } = system.saturation;
  const first = await fetch(system.url + firstRead, { headers: { 'apollo-require-preflight': 'true' } });
  const body = await first.text();
  if (!first.ok || body.includes('"errors"') || body.length < 1_000) throw new Error(`no list to read: ${body}`);

  await wrk(system, readScript, WARM_UP_SECONDS);
  const read = await measure(system, readScript, seconds, () => Promise.resolve());

  await wrk(system, writeScript, WARM_UP_SECONDS);
  const before = (await untilRecorded(() => system.countRecorded(), Infinity)).recorded;
  let drained = { recorded: 0, seconds: 0 };
  const write = await measure(system, writeScript, seconds, async (accepted) => {
    drained = await untilRecorded(() => system.countRecorded(), before + accepted);
    const recorded = drained.recorded - before;
    if (recorded < accepted) throw new Error(`${accepted} writes were answered, and ${recorded} recorded`);
  });
  return { read, write: { ...write, recorded: drained.recorded - before, drainSeconds: drained.seconds } };
}

async function measure(
  system: LoadedSystem,
  script: string,
  seconds: number,
  afterwards: (accepted: number) => Promise<void>,
): Promise<Saturated> {
  const meter = createCpuMeter(() => system.processes());
  const figures = await wrk(system, script, seconds);
  await afterwards(figures.requests - figures.errors);
  const cpuSeconds = meter.read();
  return { ...figures, cpuSeconds, perCpuSecond: (figures.requests - figures.errors) / sumOf(cpuSeconds) };
}

async function wrk(system: LoadedSystem, script: string, seconds: number) {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--latency', '--timeout', '15s', '-s', script, system.url];
  const { stdout } = await promisify(execFile)('wrk', args);
  const [non2xx] = [...stdout.matchAll(/Non-2xx or 3xx responses: (\d+)/g)].map((match) => Number(match[1]));
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? [];
  const errors = sockets.reduce((sum, count) => sum + Number(count), non2xx ?? 0);
  return { ...wrkFigures(stdout), errors };
}
