import { hash } from 'node:crypto';
import { v7 } from 'uuid';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A new id for something that happens now: unique, and in order within this process even when the clock steps back. */
export function newInteractionId(): string {
  return v7();
}

/** A new id for something that happened at `atMs` (ms since the epoch, not negative). */
export function newInteractionIdAt(atMs: number): string {
  return v7({ msecs: atMs });
}

/** The same `source` and time always give the same id, so that importing a row twice counts it once. */
export function derivedInteractionId(atMs: number, source: string): string {
  const random = hash('sha256', source, 'buffer').subarray(0, 16);
  return v7({ msecs: atMs, random, seq: random.readUInt32BE(6) });
}

/** The id in lower case, or undefined when it is no UUIDv7. */
export function parseInteractionId(text: string): string | undefined {
  const id = text.toLowerCase();
  return UUID_V7.test(id) ? id : undefined;
}

/** Milliseconds since the epoch at which the interaction with this UUIDv7 happened. */
export function occurredAtMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
