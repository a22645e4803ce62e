import type { Socket } from 'node:net';

/**
 * Leaves connections unread for a while. Who was refused was told to wait a second; a client that asks again at once
 * waits in the kernel's buffers, where it costs nothing, and not in a queue of refusals that leaves no time for work.
 */
export interface HoldBack {
  hold(socket: Socket): void;
  /** Reads all of them again. */
  stop(): void;
}

export function createHoldBack(holdMs: number): HoldBack {
  /** In the order they are due. */
  const held = new Map<Socket, number>();
  let timer: NodeJS.Timeout | undefined;

  function releaseDue(): void {
    timer = undefined;
    const nowMs = performance.now();
    for (const [socket, dueAtMs] of held) {
      if (dueAtMs > nowMs) {
        timer = setTimeout(releaseDue, dueAtMs - nowMs);
        return;
      }
      release(socket);
    }
  }

  function release(socket: Socket): void {
    held.delete(socket);
    socket.resume();
  }

  return {
    hold(socket) {
      if (socket.destroyed || held.has(socket)) return;
      socket.pause();
      held.set(socket, performance.now() + holdMs);
      timer ??= setTimeout(releaseDue, holdMs);
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
      for (const socket of held.keys()) release(socket);
    },
  };
}
