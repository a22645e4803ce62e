import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { waitFor } from '../servers/wait-for.ts';
import { createFaultProxy, type FaultProxy } from './fault-proxy.ts';

let server: Server;
let proxy: FaultProxy;
let accepted: Socket[];
let received: string;

/** Says back what it is told. */
beforeEach(async () => {
  [accepted, received] = [[], ''];
  server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received += chunk.toString();
      socket.write(chunk);
    });
    socket.on('end', () => socket.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  proxy = await createFaultProxy(address.port);
});
afterEach(async () => {
  await proxy.close();
  await new Promise((resolve) => server.close(resolve));
});

async function open(): Promise<{ socket: Socket; got(): string; error(): string | undefined }> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  let [got, error]: [string, string | undefined] = ['', undefined];
  socket.on('data', (chunk) => (got += chunk.toString()));
  socket.on('error', (fault) => (error = 'code' in fault ? String(fault.code) : fault.message));
  await once(socket, 'connect');
  return { socket, got: () => got, error: () => error };
}

it('lets bytes and the end of them through, in both directions', async () => {
  const { socket } = await open();
  const all = text(socket);
  socket.end('x'.repeat(1_000_000));
  expect((await all).length).toBe(1_000_000);
});

it('delays bytes and keeps their order', async () => {
  const client = await open();
  proxy.delay(100);
  const startedAtMs = performance.now();
  for (const part of ['a', 'b', 'c']) client.socket.write(part);
  await waitFor('the answer', () => client.got() === 'abc');
  expect(performance.now() - startedAtMs).toBeGreaterThan(190);
  client.socket.destroy();
});

it('a black hole takes bytes and closes nothing until it is healed', async () => {
  const client = await open();
  client.socket.write('before');
  await waitFor('the answer', () => client.got() === 'before');
  proxy.blackHole();
  client.socket.write('lost');
  const other = await open();
  other.socket.write('lost too');
  await expect(
    waitFor('anything to arrive', () => received !== 'before' || client.socket.closed, { deadlineMs: 200 }),
  ).rejects.toThrow();
  await proxy.heal();
  await waitFor('both to be reset', () => client.error() === 'ECONNRESET' && other.error() === 'ECONNRESET');
  expect(received).toBe('before');
});

it('resets what is open and lets new connections through', async () => {
  const client = await open();
  await waitFor('the connection', () => accepted.length === 1);
  proxy.reset();
  await waitFor('a reset at both ends', () => client.error() === 'ECONNRESET' && accepted[0]?.closed === true);
  const next = await open();
  next.socket.end('again');
  await waitFor('the answer', () => next.got() === 'again');
});

it('refuses connections as a stopped server does, and takes them again', async () => {
  proxy.refuse();
  await expect(open()).rejects.toThrow('ECONNREFUSED');
  await proxy.heal();
  const client = await open();
  client.socket.end('back');
  await waitFor('the answer', () => client.got() === 'back');
});

it('closes one half: the program reads the end, and the server still hears it', async () => {
  const client = await open();
  client.socket.write('first');
  await waitFor('the answer', () => client.got() === 'first');
  proxy.halfClose();
  await once(client.socket, 'end');
  client.socket.write('second');
  await waitFor('the server to hear it', () => received === 'firstsecond');
  client.socket.destroy();
});

it('answers garbage in place of the server', async () => {
  const client = await open();
  proxy.answer(() => Buffer.from('garbage'));
  client.socket.write('hello');
  await waitFor('garbage', () => client.got() === 'garbage');
  expect(received).toBe('');
  client.socket.destroy();
});

it('holds a connection from the trapped bytes on, also when they come in two chunks, and tells the server of its end', async () => {
  const client = await open();
  let tail = '';
  const sprung = proxy.spring(() => ({
    toServer: (chunk) => (tail += chunk.toString()).includes('COMMIT'),
    toProgram: () => false,
  }));
  client.socket.write('BEGIN ');
  await waitFor('the answer', () => client.got() === 'BEGIN ');
  client.socket.write('COM');
  await waitFor('the answer', () => client.got() === 'BEGIN COM');
  client.socket.write('MIT');
  await sprung;
  expect(received).toBe('BEGIN COM');
  client.socket.destroy();
  await waitFor('the server to learn of the end', () => accepted[0]?.closed === true);
});
