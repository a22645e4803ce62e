import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { prepareBinaries } from './embedded-binaries.ts';
import { openCluster, SUPERUSER, type Cluster } from './embedded-cluster.ts';
import { EmbeddedPostgresError } from './embedded-error.ts';
import { createDatabase, takeLease, type Lease, type Role } from './embedded-lease.ts';
import { findPostmaster, startPostmaster, type Postmaster } from './embedded-postmaster.ts';
import { postgresUser } from './embedded-user.ts';
import { startWatchdog } from './embedded-watchdog.ts';

const DATABASE = 'groundswell';
const PATIENCE_MS = 60_000;
const RETRY_MS = 25;

export interface EmbeddedPostgresOptions {
  /** Null: `/var/lib/groundswell` as root, else `.groundswell` in the working directory. */
  readonly dataDir: string | null;
  /** `server`: the one process that serves from this folder. `command`: beside it, or alone. */
  readonly role: Role;
  readonly logger?: { warn(details: object, message: string): void };
}

export interface EmbeddedPostgres {
  /** With the password: not for logs. */
  readonly url: string;
  readonly dataDir: string;
  /** Whether it was running already. */
  readonly attached: boolean;
  /** Stops the server, unless another process uses it: then the last one does. Never rejects. */
  stop(): Promise<void>;
}

/**
 * Postgres for a machine that has none, with its data under `dataDir`: the one that is running there, else a new one. It
 * ends with the last process that uses it, however that ends. Throws EmbeddedPostgresError; DATA_DIR_IN_USE when another
 * server has the folder.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const user = await postgresUser();
  const dataDir = resolve(options.dataDir ?? (user === null ? '.groundswell' : '/var/lib/groundswell'));
  const binaries = await prepareBinaries(user);
  const cluster = await openCluster(dataDir, binaries, user);

  const watchdog = startWatchdog(cluster.dataDir);
  let stopped = false;
  let attached = true;
  let lease: Lease | undefined;

  const enter = async (start: (() => Promise<Postmaster | null>) | null): Promise<Postmaster> => {
    const joined = await joinServer(cluster, options.role, start, onLost);
    lease = joined.lease;
    return joined.postmaster;
  };
  // After the crash of one backend Postgres drops every session and goes on; we are in again in a moment.
  const onLost = (): void => {
    if (stopped) return;
    enter(null).catch((error: unknown) => options.logger?.warn({ err: error }, 'the embedded Postgres is gone'));
  };

  try {
    const postmaster = await enter(async () => {
      const started = await startPostmaster(cluster, binaries, user);
      if (started !== null) attached = false;
      return started;
    });
    await createDatabase(cluster, postmaster.port, DATABASE);
    const url = `postgresql://${SUPERUSER}:${cluster.password}@127.0.0.1:${postmaster.port}/${DATABASE}`;
    if (!attached) await writeAttachFile(cluster.dataDir, { url, pid: postmaster.pid, ownerPid: process.pid });
    return { url, dataDir: cluster.dataDir, attached, stop };
  } catch (error) {
    await stop();
    throw error;
  }

  async function stop(): Promise<void> {
    if (stopped) return;
    stopped = true;
    if ((await lease?.end()) === true) await rm(attachFile(cluster.dataDir), { force: true });
    watchdog.dismiss();
  }
}

async function joinServer(
  cluster: Cluster,
  role: Role,
  start: (() => Promise<Postmaster | null>) | null,
  onLost: () => void,
): Promise<{ lease: Lease; postmaster: Postmaster }> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const running = await findPostmaster(cluster.dir);
    if (running === null && start === null) break;
    const postmaster = running ?? (await start?.()) ?? null;
    if (postmaster !== null && postmaster.ready) {
      const lease = await takeLease(cluster, postmaster.port, role, onLost);
      if (lease === 'taken') {
        throw new EmbeddedPostgresError('DATA_DIR_IN_USE', `another Groundswell is running on ${cluster.dataDir}`);
      }
      if (lease !== null) return { lease, postmaster };
    }
    // It is starting, or being stopped.
    await delay(RETRY_MS);
  }
  throw new EmbeddedPostgresError('EMBEDDED_POSTGRES_FAILED', `the Postgres in ${cluster.dir} does not answer`);
}

/** For people and their tools, such as psql; only the owner of the folder can read it. */
async function writeAttachFile(dataDir: string, content: object): Promise<void> {
  const file = attachFile(dataDir);
  const work = `${file}.${process.pid}`;
  await writeFile(work, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await chmod(work, 0o600);
  await rename(work, file);
}

function attachFile(dataDir: string): string {
  return join(dataDir, 'embedded.json');
}
