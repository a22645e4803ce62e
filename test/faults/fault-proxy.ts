import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { freePort } from '../servers/free-port.ts';
import type { Trap, TrapFactory } from './trap.ts';

/** A TCP proxy between a program and a server that does to their connections what networks do. */
export interface FaultProxy {
  readonly port: number;
  /** Every fault off. Connections that a fault has taken bytes from are reset, as a network would in the end. */
  heal(): Promise<void>;
  /** Bytes arrive so much later, in both directions, on connections there are and new ones. */
  delay(ms: number): void;
  /** Bytes vanish, in both directions, and nothing is closed. */
  blackHole(): void;
  /** RST to both ends of every connection; new ones are let through. */
  reset(): void;
  /** Nothing listens any more, and every connection is reset. */
  refuse(): void;
  /** The program sees the end of what the server sends (FIN), and may still send. */
  halfClose(): void;
  /** Whatever the program sends is answered by these bytes; the server gets nothing. */
  answer(bytes: () => Buffer): void;
  /** Resolves when the trap has sprung: that connection's bytes are held from there on, in both directions. */
  spring(factory: TrapFactory): Promise<void>;
  close(): Promise<void>;
}

interface Link {
  readonly program: Socket;
  readonly server: Socket;
  trap: Trap | null;
  isHeld: boolean;
  isTainted: boolean;
}

export async function createFaultProxy(target: number): Promise<FaultProxy> {
  const links = new Set<Link>();
  const port = await freePort();
  let listener: Server | null = null;
  let delayMs = 0;
  let isBlackHole = false;
  let garbage: (() => Buffer) | null = null;
  let armed: { readonly factory: TrapFactory; readonly sprung: () => void } | null = null;

  function open(program: Socket): void {
    const server = connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const link: Link = { program, server, trap: armed?.factory() ?? null, isHeld: false, isTainted: false };
    links.add(link);
    pump(link, 'toServer');
    pump(link, 'toProgram');
    for (const socket of [program, server]) {
      socket.on('error', () => undefined);
      // A peer that was killed leaves by RST or FIN; either way the other end learns of it, unless all is to vanish.
      socket.once('close', (hadError) => {
        if (isBlackHole) return;
        if (hadError || link.isHeld || (program.closed && server.closed)) end(link);
      });
    }
  }

  function end(link: Link): void {
    links.delete(link);
    for (const socket of [link.program, link.server]) hangUp(socket);
  }

  function pump(link: Link, direction: keyof Trap): void {
    const [from, to] = direction === 'toServer' ? [link.program, link.server] : [link.server, link.program];
    let queue = Promise.resolve();
    let waiting = 0;
    const inOrder = (work: () => void): void => {
      if (delayMs === 0 && waiting === 0) return work();
      const dueMs = performance.now() + delayMs;
      waiting += 1;
      queue = queue.then(async () => {
        const restMs = dueMs - performance.now();
        if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
        waiting -= 1;
        work();
      });
    };
    from.on('data', (chunk: Buffer) => {
      if (link.trap?.[direction](chunk) === true) {
        link.isHeld = true;
        link.trap = null;
        armed?.sprung();
        armed = null;
      }
      if (garbage !== null && direction === 'toServer') {
        link.isTainted = true;
        link.program.write(garbage());
      } else if (isBlackHole || link.isHeld || garbage !== null) link.isTainted = true;
      else {
        inOrder(() => {
          if (to.destroyed || to.write(chunk)) return;
          from.pause();
          to.once('drain', () => from.resume());
        });
      }
    });
    from.on('end', () => {
      if (isBlackHole) return;
      if (link.isHeld) end(link);
      else inOrder(() => to.end());
    });
  }

  function cut(which: (link: Link) => boolean): void {
    for (const link of links) if (which(link)) end(link);
  }

  async function listen(): Promise<void> {
    if (listener !== null) return;
    listener = createServer({ noDelay: true, allowHalfOpen: true }, open);
    listener.listen(port, '127.0.0.1');
    await once(listener, 'listening');
  }

  await listen();
  return {
    port,
    async heal() {
      [delayMs, isBlackHole, garbage, armed] = [0, false, null, null];
      cut((link) => link.isTainted || link.isHeld);
      for (const link of links) link.trap = null;
      await listen();
    },
    delay: (ms) => void (delayMs = ms),
    blackHole: () => void (isBlackHole = true),
    reset: () => cut(() => true),
    refuse() {
      listener?.close();
      listener = null;
      cut(() => true);
    },
    halfClose() {
      for (const link of links) {
        link.isTainted = true;
        link.program.end();
      }
    },
    answer: (bytes) => void (garbage = bytes),
    spring(factory) {
      for (const link of links) link.trap = factory();
      return new Promise((sprung) => (armed = { factory, sprung }));
    },
    async close() {
      const last = listener;
      listener = null;
      cut(() => true);
      if (last === null) return;
      await new Promise((resolve) => last.close(resolve));
    },
  };
}

/** By RST. Node resets none that it has begun to shut down (the handle would be left open), and waits for what is unsent. */
function hangUp(socket: Socket): void {
  if (socket.connecting || socket.writableEnded || socket.writableLength > 0) socket.destroy();
  else socket.resetAndDestroy();
}
