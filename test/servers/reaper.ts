/**
 * Waits, in a process of its own, until the test process at the other end of stdin is gone, then ends whatever that run
 * left behind and removes its directory. Started by test-run.ts.
 */
import { rmSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { unmountBelow } from './mount-disk.ts';
import { signalAll } from './processes.ts';
import { processesOfRun, runDirectory } from './test-run.ts';

/** Postgres killed outright leaves shared memory behind; on SIGQUIT it goes at once and cleans up. */
const GENTLY_MS = 2_000;

const id = await text(process.stdin);
const startedAt = Date.now();
for (let quietScans = 0; quietScans < 3; await delay(50)) {
  const left = processesOfRun(id);
  quietScans = left.length === 0 ? quietScans + 1 : 0;
  const gently = Date.now() - startedAt < GENTLY_MS;
  for (const { pid, command } of left) {
    signalAll([pid], 'SIGCONT');
    signalAll([pid], gently && /postgres/.test(command) ? 'SIGQUIT' : 'SIGKILL');
  }
}
unmountBelow(runDirectory(id));
rmSync(runDirectory(id), { recursive: true, force: true });
