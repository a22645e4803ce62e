import { connect, type ChannelModel } from 'amqplib';
import { withDeadline } from '../../runtime/deadline.ts';
import { messageOf } from '../../runtime/errors.ts';
import type { Finding } from '../../runtime/finding.ts';
import { attempt } from './rabbitmq-attempt.ts';
import { brokerClockDifferenceMs } from './rabbitmq-clock.ts';
import { lookAtManagement } from './rabbitmq-management.ts';
import { rightsOn, type Rights } from './rabbitmq-rights.ts';
import { leftoverPartitions } from './rabbitmq-leftovers.ts';
import { layoutOf, queueNames, type Layout, type QueueNaming } from './rabbitmq-partitions.ts';
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
export async function examineRabbitmq(part: string, url: string, naming: QueueNaming): Promise<Finding> {
  const abort = new AbortController();
  try {
    // Not in amqplib's types, but it hands its options to net.connect: the one way to end a socket that is stuck.
    const socketOptions = { noDelay: true, signal: abort.signal };
    const connection = await withDeadline(connect(url, socketOptions), DEADLINE_MS, 'RabbitMQ');
    connection.on('error', () => undefined);
    const version = connection.connection.serverProperties['version'];
    const { facts, problems } = await withDeadline(examineQueues(connection, naming), DEADLINE_MS, 'RabbitMQ');
    facts.push(...(await clockFact(connection, problems)));
    if (naming.partitions > 1) problems.push(...(await pluginProblems(url)));
    if (isBelow(version, FLOOR)) problems.push('older than 3.10: upgrade RabbitMQ');
    await withDeadline(connection.close(), DEADLINE_MS, 'RabbitMQ').catch(() => undefined);
    return { part, ok: problems.length === 0, text: [`RabbitMQ ${version}`, ...facts, ...problems].join('; ') };
  } catch (error) {
    return {
      part,
      ok: false,
      text: `cannot be reached: ${messageOf(error)}; check the URL, the network, vhost and password`,
    };
  } finally {
    abort.abort();
  }
}

/** The management API of the cluster that `amqpUrl` is a node of; null where it is not configured. Never rejects. */
export async function examineManagement(url: string | null, amqpUrl: string, naming: QueueNaming): Promise<Finding> {
  const part = 'RabbitMQ cluster (AMQP_MANAGEMENT_URL)';
  if (url === null) return { part, ok: null, text: 'not set: policies, members and alarms were not looked at' };
  try {
    const vhost = decodeURIComponent(new URL(amqpUrl).pathname.slice(1)) || '/';
    const { facts, problems } = await lookAtManagement(url, vhost, queueNames(naming));
    return { part, ok: problems.length === 0, text: [...facts, ...problems].join('; ') };
  } catch (error) {
    const advice = 'check the URL, that the management plugin is on, and that the user has the tag monitoring';
    return { part, ok: false, text: `cannot be read: ${messageOf(error)}; ${advice}` };
  }
}

interface QueueLook {
  readonly name: string;
  /** Null: there is no such queue. */
  readonly counts: { readonly messages: number; readonly consumers: number } | null;
  readonly facts: readonly string[];
  /** Whose rights the user has, when they are not everybody's. */
  readonly role: string | null;
  readonly problems: readonly string[];
}

async function examineQueues(
  connection: ChannelModel,
  { queueName, partitions }: QueueNaming,
): Promise<{ facts: string[]; problems: string[] }> {
  const single = await examineQueue(connection, queueName, layoutOf(queueName, 1));
  const looks: QueueLook[] = [];
  const layout = layoutOf(queueName, partitions);
  if (partitions > 1) for (const { name } of layout.queues) looks.push(await examineQueue(connection, name, layout));
  const leftovers = await leftoverPartitions(connection, queueName, partitions);
  const roles = new Set([single, ...looks].flatMap(({ role }) => role ?? []));
  const facts = [...singleFacts(single), ...partitionFacts(looks), ...roles];
  if (leftovers.length > 0) facts.push(`drained too: ${leftovers.join(', ')} (of a greater QUEUE_PARTITIONS)`);
  // What is wrong with one is mostly wrong with all.
  return {
    facts,
    problems: [...single.problems, ...(looks.find(({ problems }) => problems.length > 0)?.problems ?? [])],
  };
}

function singleFacts({ name, counts, facts }: QueueLook): string[] {
  if (counts === null) return [...facts];
  return [`queue ${name}: ${counts.messages} messages, ${counts.consumers} consumers`, ...facts];
}

function partitionFacts(looks: readonly QueueLook[]): string[] {
  const there = looks.flatMap(({ counts }) => counts ?? []);
  if (looks.length === 0) return [];
  if (there.length === 0) return [`its ${looks.length} partitions not there yet`];
  const messages = there.reduce((sum, counts) => sum + counts.messages, 0);
  const served = there.filter(({ consumers }) => consumers > 0).length;
  const missing = looks.length === there.length ? '' : `, ${looks.length - there.length} not there yet`;
  return [`its ${looks.length} partitions: ${messages} messages, ${served} with a consumer${missing}`];
}

async function examineQueue(connection: ChannelModel, name: string, layout: Layout): Promise<QueueLook> {
  const { exchange, exchangeType } = layout;
  const found = await attempt(connection, (channel) => channel.checkQueue(name));
  const rights = await rightsOn(connection, name, exchange);
  const look = { name, role: roleOf(rights), problems: rightProblems(name, rights, found.ok) };
  if (found.code === NOT_FOUND) {
    const maker = rights.declare ? 'the first API or worker' : 'the first worker';
    return { ...look, counts: null, facts: [`queue ${name} not there yet: ${maker} makes it`] };
  }
  if (!found.ok) {
    const problems = [`queue ${name}: ${found.reason}: check the queue`, ...look.problems];
    return { ...look, counts: null, facts: [], problems };
  }
  const counts = { messages: found.value.messageCount, consumers: found.value.consumerCount };
  const same = await attempt(connection, (channel) =>
    channel.assertQueue(name, { durable: true, arguments: queueArguments(connection, exchangeType) }),
  );
  if (same.ok) return { ...look, counts, facts: [] };
  // The API makes do with what exists, and so does this: only its arguments stay unknown.
  if (same.code === ACCESS_REFUSED) {
    return { ...look, counts, facts: ['its arguments are not known: the user may not configure it'] };
  }
  const advice =
    same.code === PRECONDITION_FAILED
      ? 'drain it, delete it, and let the API make it as a quorum queue; or set QUEUE_NAME to another'
      : 'check the queue';
  return { ...look, counts, facts: [], problems: [`queue ${name}: ${same.reason}: ${advice}`, ...look.problems] };
}

function roleOf({ publish, consume }: Rights): string | null {
  if (publish === consume) return null;
  return publish
    ? 'the user may publish and not consume: right for an API, too little for a worker'
    : 'the user may consume and not publish: right for a worker, too little for an API';
}

function rightProblems(name: string, { publish, consume, declare }: Rights, exists: boolean): string[] {
  const missing = [
    ...(publish || consume ? [] : ['read', 'write']),
    // An API waits for a worker to make it.
    ...(exists || declare || !consume ? [] : ['configure', 'bind']),
  ];
  if (missing.length === 0) return [];
  return [
    `the user lacks the right to ${missing.join(' and ')} ${name}: rabbitmqctl set_permissions (or a definition)`,
  ];
}

/** The broker checks the type first, which ends the connection when it is unknown, and then refuses the name: nothing is made. */
async function pluginProblems(url: string): Promise<string[]> {
  const connection = await withDeadline(connect(url), DEADLINE_MS, 'RabbitMQ');
  connection.on('error', () => undefined);
  const declared = await withDeadline(
    attempt(connection, (channel) => channel.assertExchange('', 'x-consistent-hash')),
    DEADLINE_MS,
    'RabbitMQ',
  );
  if (declared.code === ACCESS_REFUSED) {
    await connection.close();
    return [];
  }
  return ['QUEUE_PARTITIONS needs a plugin: rabbitmq-plugins enable rabbitmq_consistent_hash_exchange, on each node'];
}

async function clockFact(connection: ChannelModel, problems: string[]): Promise<string[]> {
  try {
    const differenceMs = await withDeadline(brokerClockDifferenceMs(connection), DEADLINE_MS, 'the clock');
    if (Math.abs(differenceMs) > MAX_CLOCK_DIFFERENCE_MS) {
      problems.push(`its clock differs from ours by ${differenceMs} ms: synchronize both (NTP)`);
    }
    return [differenceMs === 0 ? 'clock within 1 s of ours' : `clock ${differenceMs} ms off ours`];
  } catch {
    return ['its clock is not known: the user may make no queues of its own'];
  }
}
