import pg from 'pg';
import { SUPERUSER, type Cluster } from './embedded-cluster.ts';
import { errorCode } from './embedded-error.ts';
import { findPostmaster, stopPostmaster } from './embedded-postmaster.ts';

/** Two numbers of our own name an advisory lock. */
const LOCK_SPACE = 0x67726f75;
const IN_USE = 1;
const SERVER = 2;

/** A server takes requests, and there is one at a time; commands come and go beside it. */
export type Role = 'server' | 'command';

/**
 * A share in the running server, held by a session of ours, so that it ends with this process however that ends. As long
 * as somebody has a share, nobody stops the server.
 */
export interface Lease {
  /** Gives the share back, and stops the server when it was the last. Resolves to whether it did. */
  end(): Promise<boolean>;
}

/** Null when the server is just being stopped, or cannot be reached: look again. `taken`: another has the role. */
export async function takeLease(
  cluster: Cluster,
  port: number,
  role: Role,
  onLost: () => void,
): Promise<Lease | 'taken' | null> {
  const client = await connect(cluster, port);
  if (client === null) return null;
  let ending = false;
  client.once('end', () => {
    if (!ending) onLost();
    ending = true;
  });
  const leave = async <T>(outcome: T): Promise<T> => {
    ending = true;
    await client.end().catch(() => undefined);
    return outcome;
  };
  try {
    if (!(await lock(client, 'pg_try_advisory_lock_shared', IN_USE))) return await leave(null);
    if (role === 'server' && !(await lock(client, 'pg_try_advisory_lock', SERVER))) return await leave('taken');
  } catch {
    return leave(null);
  }
  return {
    async end() {
      if (ending) return false;
      ending = true;
      try {
        await client.query('SELECT pg_advisory_unlock_all()');
        return await stopIfLast(client, cluster.dir);
      } catch {
        return leave(false);
      }
    },
  };
}

/** Stops a server in which nobody has a share any more. For when a process died without giving its share back. */
export async function stopUnused(cluster: Cluster): Promise<'stopped' | 'in-use'> {
  const postmaster = await findPostmaster(cluster.dir);
  if (postmaster === null) return 'stopped';
  const client = await connect(cluster, postmaster.port);
  if (client === null) return 'in-use';
  return (await stopIfLast(client, cluster.dir)) ? 'stopped' : 'in-use';
}

export async function createDatabase(cluster: Cluster, port: number, name: string): Promise<void> {
  const client = await connect(cluster, port);
  if (client === null) throw new Error('Postgres went away while its database was being made');
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  } catch (error) {
    // Another process made it meanwhile.
    if (!['42P04', '23505'].includes(errorCode(error) ?? '')) throw error;
  } finally {
    await client.end();
  }
}

/** The exclusive lock keeps newcomers waiting until the server is gone, with our session. */
async function stopIfLast(client: pg.Client, clusterDir: string): Promise<boolean> {
  const last = await lock(client, 'pg_try_advisory_lock', IN_USE);
  if (last) await stopPostmaster(clusterDir);
  await client.end().catch(() => undefined);
  return last;
}

async function lock(
  client: pg.Client,
  take: 'pg_try_advisory_lock' | 'pg_try_advisory_lock_shared',
  key: number,
): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(`SELECT ${take}($1::int, $2::int) AS taken`, [
    LOCK_SPACE,
    key,
  ]);
  return rows[0]?.taken === true;
}

async function connect(cluster: Cluster, port: number): Promise<pg.Client | null> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: SUPERUSER,
    password: cluster.password,
    database: 'postgres',
    application_name: 'groundswell lease',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  // What ends a session is told by `end` as well.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    // 28P01, a wrong password: a server that is not ours. Everything else passes with time.
    if (errorCode(error) === '28P01') throw error;
    return null;
  }
}
