import type { Message } from 'amqplib';

export interface AckWindow {
  /**
   * Calls `ack` for all of `messages`, with `upTo` (all up to and with this one) where everything below is settled.
   * One frame for a batch that was handed out in one piece, in place of a thousand.
   */
  settle(messages: readonly Message[], ack: (message: Message, upTo: boolean) => void): void;
}

/** Keeps which delivery tags of one channel are settled. Tags count up from 1 without gaps. */
export function createAckWindow(): AckWindow {
  let lowestUnsettled = 1;
  const settledAbove = new Set<number>();

  return {
    settle(messages, ack) {
      const sorted = messages.toSorted((a, b) => a.fields.deliveryTag - b.fields.deliveryTag);
      let contiguous: Message | undefined;
      for (const message of sorted) {
        const tag = message.fields.deliveryTag;
        if (tag < lowestUnsettled || settledAbove.has(tag)) continue;
        if (tag !== lowestUnsettled) {
          settledAbove.add(tag);
          ack(message, false);
          continue;
        }
        contiguous = message;
        lowestUnsettled += 1;
        while (settledAbove.delete(lowestUnsettled)) lowestUnsettled += 1;
      }
      if (contiguous !== undefined) ack(contiguous, true);
    },
  };
}
