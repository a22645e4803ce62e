import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { testDirectory } from './test-run.ts';
import { waitFor } from './wait-for.ts';

/** A file system of its own, which can be full and can fail with nobody else hurt. */
export interface Disk {
  readonly directory: string;
  /** Takes all that is free: whoever needs more is told ENOSPC. */
  fill(): Promise<void>;
  empty(): void;
  /** As at a fault of the hardware: the journal is given up, and what has files open can write to none of them. */
  fail(): Promise<void>;
  /** After `fail`, once nobody uses it: unmounted and mounted again, which replays the journal. */
  repair(): Promise<void>;
  /** Removes it and all that is on it. Safe to call twice. */
  stop(): Promise<void>;
}

/** The image is sparse: it takes up only what is written to it. */
const SIZE_BYTES = 8 * 2 ** 30;
/** Full is what has no more left than this: whoever writes there may have deleted something meanwhile. */
const FULL_BYTES = 2 ** 20;

/** ext4 in a file. Throws where nothing can be mounted: that takes root, and a loop device. */
export async function mountDisk(): Promise<Disk> {
  const folder = testDirectory('disk');
  const image = join(folder, 'image');
  const directory = join(folder, 'mounted');
  const ballast = join(directory, 'ballast');
  const run = async (command: string, ...args: string[]): Promise<void> =>
    void (await promisify(execFile)(command, args));
  const mount = (): Promise<void> => run('mount', '-o', 'loop,errors=remount-ro', image, directory);
  // A process that has just ended may still hold files open.
  const unmount = (): Promise<void> =>
    waitFor('the disk to be left', async () => {
      await run('umount', directory);
      return true;
    });

  async function stop(): Promise<void> {
    if (mountsBelow(folder).length > 0) await unmount();
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    mkdirSync(directory);
    writeFileSync(image, '');
    truncateSync(image, SIZE_BYTES);
    await run('mkfs.ext4', '-q', '-F', '-m', '0', image);
    await mount();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    directory,
    async fill() {
      // More than there is: fallocate fails, with all there was taken.
      await run('fallocate', '--length', String(SIZE_BYTES), ballast).catch(() => undefined);
      const { bavail, bsize } = await statfs(directory);
      if (bavail * bsize > FULL_BYTES) throw new Error(`${bavail * bsize} bytes are still free`);
    },
    empty: () => rmSync(ballast),
    fail: () => run('mount', '-o', 'remount,abort', directory),
    async repair() {
      await unmount();
      await mount();
    },
    stop,
  };
}

/** Lazily: whatever is mounted there goes at once, also while it is in use. */
export function unmountBelow(folder: string): void {
  for (const directory of mountsBelow(folder)) execFileSync('umount', ['--lazy', directory]);
}

function mountsBelow(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  const directories = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  return directories.filter((directory) => directory.startsWith(`${folder}/`));
}
