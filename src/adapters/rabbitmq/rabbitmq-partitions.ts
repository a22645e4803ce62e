import { itemOfMessage } from '../../interactions/message-item.ts';
import { createPacker, type Pack } from './rabbitmq-packs.ts';

/**
 * Routing keys, the one at place p for partition p. A consistent-hash exchange hashes a key onto the first bucket, and with each bucket
 * (queue) more onto that one or leaves it where it is; these were searched, with the exchange's own function, for lying in bucket p
 * of any number up to 64. So what goes to one partition shares messages, and each queue gets one partition. Were a later broker to hash
 * otherwise, some queues would get more than others and an item still one queue; a test would tell.
 */
const ROUTING_KEYS = [
  42, 20, 7, 27, 190, 176, 13, 30, 214, 168, 3, 43, 2, 161, 44, 65, 16, 49, 219, 12, 57, 105, 103, 6, 21, 23, 5, 11, 18,
  15, 4, 9, 39, 1, 17, 62, 79, 138, 74, 48, 75, 29, 63, 10, 133, 108, 22, 24, 14, 19, 0, 55, 37, 162, 66, 61, 89, 78,
  139, 8, 36, 46, 64, 235,
].map(String);

export const MAX_PARTITIONS = ROUTING_KEYS.length;

export interface QueueNaming {
  readonly queueName: string;
  readonly partitions: number;
}

/** One queue and a direct exchange of the same name, or with more partitions a consistent-hash exchange over numbered queues. */
export interface Layout {
  readonly exchange: string;
  readonly exchangeType: 'direct' | 'x-consistent-hash';
  /** With the routing key that a message for it gets. */
  readonly queues: readonly { readonly name: string; readonly routingKey: string }[];
}

export function layoutOf(queueName: string, partitions: number): Layout {
  if (partitions === 1) {
    return { exchange: queueName, exchangeType: 'direct', queues: [{ name: queueName, routingKey: queueName }] };
  }
  return {
    exchange: `${queueName}.partitions`,
    exchangeType: 'x-consistent-hash',
    queues: ROUTING_KEYS.slice(0, partitions).map((routingKey, index) => ({
      name: partitionName(queueName, index),
      routingKey,
    })),
  };
}

/** The single queue, which is always there, and the partitions. */
export function queueNames({ queueName, partitions }: QueueNaming): readonly string[] {
  return [...new Set([queueName, ...layoutOf(queueName, partitions).queues.map(({ name }) => name)])];
}

export function partitionName(queueName: string, index: number): string {
  return `${queueName}.${index}`;
}

/** Which of so many partitions an item's messages go to. With one more, only what it gets moves (rendezvous hashing). */
export function partitionOf(item: string, partitions: number): number {
  const hash = hashOf(item);
  let best = 0;
  let bestWeight = -1;
  for (let partition = 0; partition < partitions; partition += 1) {
    const weight = mixed(hash ^ mixed(partition + 1));
    if (weight > bestWeight) [best, bestWeight] = [partition, weight];
  }
  return best;
}

export interface RoutedPacker<Owner> {
  /** How many messages these bodies will be in, at least in part. */
  add(owner: Owner, bodies: readonly Buffer[], traceparent?: string | null): number;
  packs(): readonly (Pack<Owner> & { readonly routingKey: string })[];
}

/** Bodies share messages with those of their partition only. */
export function createRoutedPacker<Owner>({ queues }: Layout): RoutedPacker<Owner> {
  const routes = queues.map(({ routingKey }) => ({ routingKey, packer: createPacker<Owner>() }));
  const [first] = routes;
  return {
    add(owner, bodies, traceparent = null) {
      if (first !== undefined && routes.length === 1) return first.packer.add(owner, bodies, traceparent);
      const sorted = routes.map((): Buffer[] => []);
      for (const body of bodies) sorted[partitionOf(keyOf(body), routes.length)]?.push(body);
      let count = 0;
      for (const [index, { packer }] of routes.entries()) count += packer.add(owner, sorted[index] ?? [], traceparent);
      return count;
    },
    packs: () => routes.flatMap(({ routingKey, packer }) => packer.packs().map((pack) => ({ ...pack, routingKey }))),
  };
}

/** What is no message of ours is rejected by whoever gets it, so anywhere will do. */
function keyOf(body: Buffer): string {
  return itemOfMessage(body) ?? body.toString('latin1');
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}

/** The finalizer of MurmurHash3: each bit of the result depends on all of them. */
function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
