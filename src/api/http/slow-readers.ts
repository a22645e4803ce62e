import type { Socket } from 'node:net';

/**
 * Cuts off clients that do not read their answer: Node has no limit for them, and each would hold its connection and the
 * answer in memory for ever. Only answers that the kernel did not take at once are looked after.
 */
export interface SlowReaders {
  /** After an answer was written. */
  watch(socket: Socket): void;
  stop(): void;
}

interface Reader {
  readonly sinceMs: number;
  bytesLeft: number;
  /** When it last took something. */
  movedAtMs: number;
}

/** Who takes a byte now and then gets so many times the longest standstill for all. */
const MOST_STILLS = 6;

export function createSlowReaders(options: { readonly maxStillMs: number; readonly onCut: () => void }): SlowReaders {
  const { maxStillMs, onCut } = options;
  const readers = new Map<Socket, Reader>();
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    const nowMs = performance.now();
    for (const [socket, reader] of readers) {
      const bytesLeft = socket.writableLength;
      if (socket.destroyed || bytesLeft === 0) {
        readers.delete(socket);
        continue;
      }
      if (bytesLeft !== reader.bytesLeft) {
        reader.bytesLeft = bytesLeft;
        reader.movedAtMs = nowMs;
      }
      if (nowMs - reader.movedAtMs < maxStillMs && nowMs - reader.sinceMs < maxStillMs * MOST_STILLS) continue;
      readers.delete(socket);
      onCut();
      socket.destroy();
    }
    if (readers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    watch(socket) {
      if (socket.writableLength === 0 || socket.destroyed || readers.has(socket)) return;
      const nowMs = performance.now();
      readers.set(socket, { sinceMs: nowMs, bytesLeft: socket.writableLength, movedAtMs: nowMs });
      timer ??= setInterval(look, Math.min(500, maxStillMs / 4)).unref();
    },
    stop() {
      clearInterval(timer);
      readers.clear();
    },
  };
}
