import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { listProcesses, type ProcessInfo } from './processes.ts';

/** Inherited by everything a test starts; reaper and leak check find processes by its value. */
export const TEST_RUN_VARIABLE = 'GROUNDSWELL_TEST_RUN';

/**
 * The id of this run. The first process to ask names the run, and starts the reaper that ends every process of the run
 * once that first process is gone, however it went.
 */
export function testRunId(): string {
  const inherited = process.env[TEST_RUN_VARIABLE];
  if (inherited) return inherited;
  const id = `gs-run-${process.pid}-${randomBytes(4).toString('hex')}`;
  process.env[TEST_RUN_VARIABLE] = id;
  mkdirSync(runDirectory(id), { mode: 0o755 });
  startReaper(id);
  return id;
}

/** A new directory of this run, removed at its end at the latest. Other users may enter it: some servers refuse root. */
export function testDirectory(name: string): string {
  const directory = mkdtempSync(join(runDirectory(testRunId()), `${name}-`));
  chmodSync(directory, 0o755);
  return directory;
}

/** What still runs of the run `id`, by environment, command line or working directory. */
export function processesOfRun(id: string): ProcessInfo[] {
  return listProcesses().filter(({ pid, traces }) => pid !== process.pid && traces.includes(id));
}

export function runDirectory(id: string): string {
  return join(openToAll(tmpdir()) ? tmpdir() : '/tmp', id);
}

function openToAll(path: string): boolean {
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return process.getuid?.() !== 0;
  }
  return true;
}

function startReaper(id: string): void {
  const { [TEST_RUN_VARIABLE]: _, ...env } = process.env;
  const program = fileURLToPath(new URL('./reaper.ts', import.meta.url));
  const reaper = spawn(process.execPath, ['--import', 'tsx', program], {
    cwd: join(import.meta.dirname, '../..'),
    env,
    // Out of reach of a Ctrl-C at the terminal: it has to outlive everybody else.
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  reaper.unref();
  // The open pipe is the signal: it closes when this process ends, SIGKILL included. The id goes through it, not through
  // the environment, where the reaper would find itself.
  const pipe: Writable & { unref?: () => void } = reaper.stdin;
  pipe.write(id);
  pipe.unref?.();
}
