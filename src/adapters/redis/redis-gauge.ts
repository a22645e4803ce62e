import { createClient } from '@keyv/redis';
import { messageOf } from '../../runtime/errors.ts';
import type { Looked } from '../../top/part-gauges.ts';

const DEADLINE_MS = 2_000;

/** Whether Redis answers, on a connection of its own. Never rejects. */
export async function lookAtRedis(url: string): Promise<Looked<{ readonly answersInMs: number }>> {
  const client = createClient({ url, socket: { connectTimeout: DEADLINE_MS, reconnectStrategy: false } });
  client.on('error', () => undefined);
  // A frozen server accepts the connection and says nothing.
  const timer = setTimeout(() => client.destroy(), DEADLINE_MS);
  try {
    await client.connect();
    const sentMs = performance.now();
    await client.ping();
    return { up: true, value: { answersInMs: performance.now() - sentMs } };
  } catch (error) {
    return { up: false, fault: messageOf(error) };
  } finally {
    clearTimeout(timer);
    if (client.isOpen) client.destroy();
  }
}
