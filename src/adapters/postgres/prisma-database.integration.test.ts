import { expect, test } from 'vitest';
import { openDatabase } from '../../../test/open-database.ts';
import { createTestDatabase } from '../../../test/servers/create-test-database.ts';
import { query } from '../../../test/servers/query.ts';

test('a connection that comes back with an open transaction is given to nobody', async () => {
  const server = await createTestDatabase();
  const database = openDatabase(server.url);
  try {
    await query(server.url, 'CREATE TABLE written (n integer)');
    await database.primary((client) => client.$executeRaw`BEGIN`);
    await database.primary((client) => client.$executeRaw`INSERT INTO written VALUES (1)`);
    expect(await query(server.url, 'SELECT n FROM written')).toEqual([{ n: 1 }]);
  } finally {
    await database.close();
    await server.drop();
  }
});
