import { connect, type ChannelModel } from 'amqplib';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Finding } from '../../runtime/finding.ts';
import { queueArguments } from './rabbitmq-topology.ts';
import { isBelow } from '../version-floor.ts';

const FLOOR = [3, 10] as const;
const DEADLINE_MS = 5_000;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

/** One node. Looks and does not create: a queue that is missing is made by the first API or worker. Never rejects. */
export async function examineRabbitmq(part: string, url: string, queueName: string): Promise<Finding> {
  const abort = new AbortController();
  try {
    // Not in amqplib's types, but it hands its options to net.connect: the one way to end a socket that is stuck.
    const socketOptions = { noDelay: true, signal: abort.signal };
    const connection = await withDeadline(connect(url, socketOptions), DEADLINE_MS, 'RabbitMQ');
    connection.on('error', () => undefined);
    const version = connection.connection.serverProperties['version'];
    const { facts, problems } = await withDeadline(examineQueue(connection, queueName), DEADLINE_MS, 'RabbitMQ');
    if (isBelow(version, FLOOR)) problems.push('older than 3.10: upgrade RabbitMQ');
    await withDeadline(connection.close(), DEADLINE_MS, 'RabbitMQ').catch(() => undefined);
    return { part, ok: problems.length === 0, text: [`RabbitMQ ${version}`, ...facts, ...problems].join('; ') };
  } catch (error) {
    return {
      part,
      ok: false,
      text: `cannot be reached: ${reasonOf(error)}; check the URL, the network, vhost and password`,
    };
  } finally {
    abort.abort();
  }
}

async function examineQueue(connection: ChannelModel, name: string): Promise<{ facts: string[]; problems: string[] }> {
  const found = await attempt(connection, (channel) => channel.checkQueue(name));
  if (found.code === NOT_FOUND)
    return { facts: [`queue ${name} not there yet: the first API or worker makes it`], problems: [] };
  if (!found.ok) return { facts: [], problems: [`queue ${name}: ${found.reason}`] };
  const facts = [`queue ${name}: ${found.value.messageCount} messages, ${found.value.consumerCount} consumers`];
  const same = await attempt(connection, (channel) =>
    channel.assertQueue(name, { durable: true, arguments: queueArguments(connection) }),
  );
  if (same.ok) return { facts, problems: [] };
  const advice =
    same.code === PRECONDITION_FAILED
      ? 'drain it, delete it, and let the API make it as a quorum queue; or set QUEUE_NAME to another'
      : 'check the rights of the user';
  return { facts, problems: [`queue ${name}: ${same.reason}: ${advice}`] };
}

type Attempt<T> =
  | { readonly ok: true; readonly code: undefined; readonly value: T }
  | { readonly ok: false; readonly code: unknown; readonly reason: string };

/** On a channel of its own: the broker closes it with the answer no. */
async function attempt<T>(
  connection: ChannelModel,
  work: (channel: Awaited<ReturnType<ChannelModel['createChannel']>>) => Promise<T>,
): Promise<Attempt<T>> {
  const channel = await connection.createChannel();
  channel.on('error', () => undefined);
  try {
    const value = await work(channel);
    await channel.close();
    return { ok: true, code: undefined, value };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return { ok: false, code, reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error ? String(error.code) : error.name);
}
