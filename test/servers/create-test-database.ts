import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { createDatabaseAt } from './create-database-at.ts';
import { query } from './query.ts';
import './shared-servers.ts';

export type TestDatabase = {
  name: string;
  url: string;
  replicaUrls: string[];
  /** Drops it, whoever is still connected. */
  drop: () => Promise<void>;
  [Symbol.asyncDispose]: () => Promise<void>;
};

/** A fresh, empty database on the shared Postgres, already on its replica. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { postgresUrl, postgresReplicaUrl } = inject('sharedServers');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = databaseAt(postgresUrl, name);
  const replicaUrls = [databaseAt(postgresReplicaUrl, name)];
  await createDatabaseAt(postgresUrl, name, url, replicaUrls);
  const drop = async () => {
    await query(postgresUrl, `drop database if exists "${name}" with (force)`);
  };
  return { name, url, replicaUrls, drop, [Symbol.asyncDispose]: drop };
}

function databaseAt(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
