// Run by the watchdog after its process died: stops the embedded Postgres in the given folder unless others use it.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readCluster } from './embedded-cluster.ts';
import { stopUnused } from './embedded-lease.ts';

const PATIENCE_MS = 5_000;

const dataDir = process.argv[2];
if (dataDir !== undefined) await clearUp(dataDir);

async function clearUp(folder: string): Promise<void> {
  const cluster = await readCluster(folder);
  const deadline = performance.now() + PATIENCE_MS;
  // The dead process's session may take a moment to be noticed; a starting server, to be ready.
  while (performance.now() < deadline) {
    if ((await stopUnused(cluster)) === 'stopped') {
      await rm(join(folder, 'embedded.json'), { force: true });
      return;
    }
    await delay(200);
  }
}
