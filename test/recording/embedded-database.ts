import { randomBytes } from 'node:crypto';
import { startEmbeddedPostgres } from '../../src/adapters/embedded/embedded-postgres.ts';
import type { TestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';
import { testDirectory } from '../servers/test-run.ts';

let starting: ReturnType<typeof startEmbeddedPostgres> | undefined;

/** A fresh, empty database on the embedded Postgres, which is started for the first one. */
export async function createEmbeddedDatabase(): Promise<TestDatabase> {
  starting ??= startEmbeddedPostgres({ dataDir: testDirectory('embedded'), role: 'server' });
  const { url: serverUrl } = await starting;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await query(serverUrl, `create database "${name}"`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const drop = async (): Promise<void> => {
    await query(serverUrl, `drop database if exists "${name}" with (force)`);
  };
  return { name, url: url.href, replicaUrls: [], drop, [Symbol.asyncDispose]: drop };
}

export async function stopEmbeddedPostgres(): Promise<void> {
  await (await starting)?.stop();
}
