import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { messageOf } from './errors.ts';

const refused = (address: string): Error => new Error(`connect ECONNREFUSED ${address}`);

it.each([
  ['its message', new Error('no such file'), 'no such file'],
  ['its code where it has no message', Object.assign(new Error(''), { code: 'ECONNRESET' }), 'ECONNRESET'],
  ['its name where it has neither', new RangeError(''), 'RangeError'],
  [
    'each of several',
    new AggregateError([refused('::1'), refused('127.0.0.1')]),
    'connect ECONNREFUSED ::1, connect ECONNREFUSED 127.0.0.1',
  ],
  ['not its cause', new Error('Postgres is away', { cause: refused('::1') }), 'Postgres is away'],
  ['what was thrown', 'a text', 'a text'],
])('says of an error %s', (_, error, message) => {
  expect(messageOf(error)).toBe(message);
});

it('says why a fetch failed', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  const port = await new Promise<number>((resolve) =>
    server.once('listening', () => resolve((server.address() as AddressInfo).port)),
  );
  await new Promise((resolve) => server.close(resolve));
  const error: unknown = await fetch(`http://127.0.0.1:${port}/`).catch((reason: unknown) => reason);
  expect(messageOf(error)).toBe(`connect ECONNREFUSED 127.0.0.1:${port}`);
});
