/** When the oldest of what is being recorded was accepted, by queue. */
export interface InHand {
  /** Call the result when all of it is settled. */
  take(queue: string, acceptedAtMs: number): () => void;
  /** Milliseconds since the epoch; Infinity when nothing is in hand. */
  oldestMs(queue: string): number;
}

export function createInHand(): InHand {
  const batches = new Set<{ readonly queue: string; readonly acceptedAtMs: number }>();
  return {
    take(queue, acceptedAtMs) {
      const batch = { queue, acceptedAtMs };
      batches.add(batch);
      return () => void batches.delete(batch);
    },
    oldestMs(queue) {
      let oldest = Infinity;
      for (const batch of batches) if (batch.queue === queue) oldest = Math.min(oldest, batch.acceptedAtMs);
      return oldest;
    },
  };
}
