import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import './shared-servers.ts';

/** The shared RabbitMQ, and a queue name that no other test has. The queue itself is for its user to declare. */
export function testQueue(): { url: string; queue: string } {
  return { url: inject('sharedServers').amqpUrl, queue: `test-${randomBytes(6).toString('hex')}` };
}
