import { expect, test } from 'vitest';
import { openDatabase } from '../../../test/open-database.ts';
import { createTestDatabase } from '../../../test/servers/create-test-database.ts';
import { UnavailableError } from '../../runtime/errors.ts';

test.each([
  ['database "nowhere" does not exist', (url: URL) => (url.pathname = '/nowhere')],
  ['role "nobody" does not exist', (url: URL) => (url.username = 'nobody')],
])('Postgres is away for who is not let in, and no statement or row is at fault: %s', async (fault, spoil) => {
  const server = await createTestDatabase();
  const url = new URL(server.url);
  spoil(url);
  const database = openDatabase(url.href);
  try {
    const away = new UnavailableError(`Postgres is away: ${fault}`);
    await expect(database.latest((client) => client.$queryRaw`SELECT 1`)).rejects.toThrow(away);
    await expect(database.transaction((tx) => tx.$queryRaw`SELECT 1`)).rejects.toThrow(away);
  } finally {
    await database.close();
    await server.drop();
  }
});
