import { connect, type ChannelModel } from 'amqplib';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Finding } from '../../runtime/finding.ts';
import { attempt, reasonOf } from './rabbitmq-attempt.ts';
import { brokerClockDifferenceMs } from './rabbitmq-clock.ts';
import { lookAtManagement } from './rabbitmq-management.ts';
import { missingRights } from './rabbitmq-rights.ts';
import { queueArguments } from './rabbitmq-topology.ts';
import { isBelow } from '../version-floor.ts';

const FLOOR = [3, 10] as const;
const DEADLINE_MS = 5_000;
const ACCESS_REFUSED = 403;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;
/** Nothing of ours goes by the broker's clock, but logs and certificates do. */
const MAX_CLOCK_DIFFERENCE_MS = 2_000;

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
    facts.push(...(await clockFact(connection, problems)));
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

/** The management API of the cluster that `amqpUrl` is a node of. Never rejects. */
export async function examineManagement(url: string, amqpUrl: string, queueName: string): Promise<Finding> {
  const part = 'RabbitMQ cluster (AMQP_MANAGEMENT_URL)';
  try {
    const vhost = decodeURIComponent(new URL(amqpUrl).pathname.slice(1)) || '/';
    const { facts, problems } = await lookAtManagement(url, vhost, queueName);
    return { part, ok: problems.length === 0, text: [...facts, ...problems].join('; ') };
  } catch (error) {
    const advice = 'check the URL, that the management plugin is on, and that the user has the tag monitoring';
    return { part, ok: false, text: `cannot be read: ${reasonOf(error)}; ${advice}` };
  }
}

async function examineQueue(connection: ChannelModel, name: string): Promise<{ facts: string[]; problems: string[] }> {
  const found = await attempt(connection, (channel) => channel.checkQueue(name));
  const missing = await missingRights(connection, name, found.ok);
  const rights =
    missing.length === 0
      ? []
      : [`the user lacks the right to ${missing.join(' and ')} ${name}: rabbitmqctl set_permissions (or a definition)`];
  if (found.code === NOT_FOUND)
    return { facts: [`queue ${name} not there yet: the first API or worker makes it`], problems: rights };
  if (!found.ok) return { facts: [], problems: [`queue ${name}: ${found.reason}: check the queue`, ...rights] };
  const facts = [`queue ${name}: ${found.value.messageCount} messages, ${found.value.consumerCount} consumers`];
  const same = await attempt(connection, (channel) =>
    channel.assertQueue(name, { durable: true, arguments: queueArguments(connection) }),
  );
  if (same.ok) return { facts, problems: rights };
  // The API makes do with what exists, and so does this: only its arguments stay unknown.
  if (same.code === ACCESS_REFUSED)
    return { facts: [...facts, 'its arguments are not known: the user may not configure it'], problems: rights };
  const advice =
    same.code === PRECONDITION_FAILED
      ? 'drain it, delete it, and let the API make it as a quorum queue; or set QUEUE_NAME to another'
      : 'check the queue';
  return { facts, problems: [`queue ${name}: ${same.reason}: ${advice}`, ...rights] };
}

async function clockFact(connection: ChannelModel, problems: string[]): Promise<string[]> {
  try {
    const differenceMs = await withDeadline(brokerClockDifferenceMs(connection), DEADLINE_MS, 'the clock');
    if (Math.abs(differenceMs) > MAX_CLOCK_DIFFERENCE_MS) {
      problems.push(`its clock differs from ours by ${differenceMs} ms: synchronize both (NTP)`);
    }
    return [differenceMs === 0 ? 'clock within 1 s of ours' : `clock ${differenceMs} ms off ours`];
  } catch {
    return ['its clock is not known: the user may make no queues'];
  }
}
