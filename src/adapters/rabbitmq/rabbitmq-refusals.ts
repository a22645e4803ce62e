const FIRST_PATIENCE_MS = 1_000;
const LONGEST_PATIENCE_MS = 60_000;

/** What the broker refuses (`basic.nack`), by routing key. */
export interface Refusals {
  /** True once its queue has confirmed nothing for longer than there is patience for: time to try a new channel. */
  refused(routingKey: string): boolean;
  confirmed(routingKey: string): void;
  /** A new channel: what the last one was refused says nothing about it. */
  restart(): void;
}

/**
 * A queue may refuse because it is full, and then no other channel fares better. But a channel whose first message for a quorum
 * queue comes while the node of its last leader is down, and no other is elected yet, is refused by RabbitMQ 3.10 for ever,
 * where a new channel is confirmed as soon as there is a leader. The two cannot be told apart, so a new one is tried, less and less often.
 */
export function createRefusals(nowMs: () => number = () => performance.now()): Refusals {
  /** Refused, and not confirmed since; from when on by this channel, if at all. */
  const sinceMs = new Map<string, number | undefined>();
  let patienceMs = FIRST_PATIENCE_MS;
  return {
    refused(routingKey) {
      const now = nowMs();
      const since = sinceMs.get(routingKey) ?? now;
      sinceMs.set(routingKey, since);
      if (now - since < patienceMs) return false;
      patienceMs = Math.min(patienceMs * 2, LONGEST_PATIENCE_MS);
      return true;
    },
    confirmed(routingKey) {
      if (sinceMs.delete(routingKey) && sinceMs.size === 0) patienceMs = FIRST_PATIENCE_MS;
    },
    restart() {
      for (const routingKey of sinceMs.keys()) sinceMs.set(routingKey, undefined);
    },
  };
}
