import type { Channel, ChannelModel } from 'amqplib';
import { messageOf } from '../../runtime/errors.ts';

export type Attempt<T> =
  | { readonly ok: true; readonly code: undefined; readonly value: T }
  | { readonly ok: false; readonly code: unknown; readonly reason: string };

/** On a channel of its own: the broker closes it with the answer no. */
export async function attempt<T>(
  connection: ChannelModel,
  work: (channel: Channel) => Promise<T>,
): Promise<Attempt<T>> {
  const channel = await connection.createChannel();
  let open = true;
  // A refusal of what has no answer of its own, such as a publish, arrives here only.
  let refusal: unknown;
  channel.on('error', (error) => (refusal = error));
  channel.on('close', () => (open = false));
  try {
    const value = await work(channel);
    if (open) await channel.close();
    return { ok: true, code: undefined, value };
  } catch (error) {
    return { ok: false, ...detailsOf(refusal ?? error) };
  }
}

function detailsOf(error: unknown): { code: unknown; reason: string } {
  return { code: error instanceof Error && 'code' in error ? error.code : undefined, reason: messageOf(error) };
}
