import type { ChannelModel, ConfirmChannel } from 'amqplib';
import { setTimeout as wait } from 'node:timers/promises';
import type { InteractionQueue } from '../../interactions/queue.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { DeadlineError, UnavailableError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { keepConnected } from './rabbitmq-link.ts';
import type { Pack } from './rabbitmq-packs.ts';
import { createRoutedPacker, layoutOf } from './rabbitmq-partitions.ts';
import { createRefusals } from './rabbitmq-refusals.ts';
import { declareTopology } from './rabbitmq-topology.ts';

const DEFAULT_MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024;
/** So many calls a partition are not held until the end of the turn: the broker works while the turn goes on. */
const SEND_AT_CALLS = 16;
const FIRST_CONNECT_MS = 1_500;
/** A broker that confirms nothing for so long after a missed deadline gets a new connection, on another node if there is one. */
const REPLACE_STALLED_AFTER_MS = 3_000;
export interface RabbitmqQueueOptions {
  readonly urls: readonly string[];
  readonly queueName: string;
  /** Not set: 1. */
  readonly partitions?: number;
  /** From `publish` to the last confirm, waiting for a slot included. */
  readonly deadlineMs: number;
  /** Bodies published and not confirmed yet; `publish` waits for room. */
  readonly maxInFlight: number;
  readonly maxInFlightBytes?: number;
  readonly logger: Logger;
}

export interface RabbitmqQueue extends InteractionQueue {
  /** Null when it takes messages, else what is wrong. */
  fault(): string | null;
  close(): Promise<void>;
}

interface Call {
  readonly bodies: readonly Buffer[];
  readonly bytes: number;
  readonly traceparent: string | null;
  readonly expiresAtMs: number;
  resolve(): void;
  reject(error: UnavailableError): void;
  /** Messages that hold some of it. */
  unconfirmed: number;
  nacked: boolean;
  /** Its caller has an answer; it holds its room in flight until the broker's verdict or the end of the channel. */
  settled: boolean;
}

/**
 * Publishes with `mandatory` and publisher confirms. What is published in one turn of the event loop shares messages and
 * their confirms, so the busier the process, the less each body costs the broker. It fails at once, so that the caller can turn to the outbox, from the
 * first missed deadline (or loss of the connection, or alarm at the broker) until the broker confirms again. Waits for
 * the first connection for a moment and then goes on without it.
 */
export async function connectRabbitmqQueue(options: RabbitmqQueueOptions): Promise<RabbitmqQueue> {
  const { deadlineMs, maxInFlight, logger } = options;
  const layout = layoutOf(options.queueName, options.partitions ?? 1);
  const maxInFlightBytes = options.maxInFlightBytes ?? DEFAULT_MAX_IN_FLIGHT_BYTES;
  const inFlight = new Set<Call>();
  /** Published in this turn; sent at its end at the latest. */
  const gathered = new Set<Call>();
  const waiting = new Set<Call>();
  const refusals = createRefusals();
  let bodiesInFlight = 0;
  let bytesInFlight = 0;
  let channel: ConfirmChannel | undefined;
  let connection: ChannelModel | undefined;
  let alarm: string | null = null;
  let stalled = false;
  let replaceTimer: NodeJS.Timeout | undefined;
  let deadlineTimer: NodeJS.Timeout | undefined;
  let firstOpened: () => void;
  const opened = new Promise<void>((resolve) => (firstOpened = resolve));

  function fault(): string | null {
    if (channel === undefined) return link.fault() ?? 'connecting';
    if (alarm !== null) return `alarm at the broker: ${alarm}`;
    return stalled ? 'the broker does not confirm' : null;
  }

  function failAll(reason: string): void {
    const error = new UnavailableError(`RabbitMQ: ${reason}`);
    for (const calls of [gathered, waiting]) {
      for (const call of calls) settle(call, error);
      calls.clear();
    }
    for (const call of inFlight) settle(call, error);
  }

  function settle(call: Call, error?: UnavailableError): void {
    if (call.settled) return;
    call.settled = true;
    if (error === undefined) call.resolve();
    else call.reject(error);
  }

  function hasRoom(call: Call): boolean {
    if (inFlight.size === 0) return true;
    return bodiesInFlight + call.bodies.length <= maxInFlight && bytesInFlight + call.bytes <= maxInFlightBytes;
  }

  function enter(call: Call): void {
    inFlight.add(call);
    bodiesInFlight += call.bodies.length;
    bytesInFlight += call.bytes;
  }

  function leave(call: Call): boolean {
    if (!inFlight.delete(call)) return false;
    bodiesInFlight -= call.bodies.length;
    bytesInFlight -= call.bytes;
    return true;
  }

  /** Sends what there is room for, oldest first; the rest waits for confirms. */
  function sendGathered(): void {
    for (const call of gathered) waiting.add(call);
    gathered.clear();
    const target = channel;
    if (target === undefined) return;
    const packer = createRoutedPacker<Call>(layout);
    for (const call of waiting) {
      if (!hasRoom(call)) break;
      waiting.delete(call);
      enter(call);
      call.unconfirmed = packer.add(call, call.bodies, call.traceparent);
    }
    for (const pack of packer.packs()) send(target, pack.routingKey, pack);
  }

  function send(target: ConfirmChannel, routingKey: string, pack: Pack<Call>): void {
    const { content, options: properties, owners } = pack;
    const onVerdict = (error: unknown): void => {
      // A missing error is a confirm.
      if (target === channel) judge(routingKey, error === null);
      let left = false;
      for (const call of owners) {
        if (error !== null) call.nacked = true;
        call.unconfirmed -= 1;
        if (call.unconfirmed === 0) left = finish(call) || left;
      }
      if (left && waiting.size > 0) sendGathered();
    };
    try {
      target.publish(layout.exchange, routingKey, content, properties, onVerdict);
    } catch (error) {
      // The channel is closing. What was written gets its verdict, the rest none.
      for (const call of owners) {
        leave(call);
        settle(call, new UnavailableError('RabbitMQ: the channel is closed', error));
      }
    }
  }

  function judge(routingKey: string, isConfirmed: boolean): void {
    if (isConfirmed) {
      if (stalled) recovered();
      refusals.confirmed(routingKey);
    } else if (refusals.refused(routingKey) && connection !== undefined) {
      link.reset(connection, 'a queue refuses all that it is sent');
    }
  }

  function finish(call: Call): boolean {
    if (!leave(call)) return false;
    settle(call, call.nacked ? new UnavailableError('RabbitMQ: a message was refused') : undefined);
    return true;
  }

  /** One timer for all calls: they have the same deadline, so the oldest is the next to expire. */
  function watchDeadline(): void {
    if (deadlineTimer !== undefined) return;
    const oldest = firstUnsettled(inFlight) ?? firstUnsettled(waiting) ?? firstUnsettled(gathered);
    if (oldest === undefined) return;
    deadlineTimer = setTimeout(
      // Timers run before I/O: after a long pause of our own the confirms may lie unread in the socket.
      () => setImmediate(() => setImmediate(expire)),
      Math.max(1, oldest.expiresAtMs - performance.now()),
    );
  }

  function expire(): void {
    deadlineTimer = undefined;
    const nowMs = performance.now();
    let missed = false;
    for (const call of [...inFlight, ...waiting, ...gathered]) {
      if (call.settled) continue;
      if (call.expiresAtMs > nowMs) break;
      missed ||= inFlight.has(call);
      waiting.delete(call);
      gathered.delete(call);
      settle(call, new DeadlineError('RabbitMQ', deadlineMs));
    }
    if (missed && !stalled && alarm === null) stall();
    watchDeadline();
  }

  function stall(): void {
    stalled = true;
    logger.warn({ deadlineMs }, 'RabbitMQ does not confirm');
    failAll('the broker does not confirm');
    const slow = connection;
    replaceTimer = setTimeout(() => {
      if (slow !== undefined) link.reset(slow, 'no confirm came');
    }, REPLACE_STALLED_AFTER_MS);
  }

  function recovered(): void {
    stalled = false;
    clearTimeout(replaceTimer);
    logger.info('RabbitMQ confirms again');
  }

  const link = keepConnected({
    urls: options.urls,
    purpose: 'publish',
    queues: layout.queues.length,
    logger,
    async onOpen(opening) {
      opening.on('blocked', (reason) => {
        if (opening !== connection) return;
        alarm = reason;
        logger.warn({ reason }, 'RabbitMQ blocks publishers');
        // Ahead of a stall's replacement: a broker under alarm is alive, and would block a new connection just the same.
        stalled = false;
        clearTimeout(replaceTimer);
        failAll(`alarm at the broker: ${reason}`);
      });
      opening.on('unblocked', () => {
        if (opening !== connection) return;
        alarm = null;
        logger.info('RabbitMQ takes messages again');
      });
      await declareTopology(opening, layout, logger);
      const created = await opening.createConfirmChannel();
      created.on('error', (error) => link.reset(opening, error.message));
      created.on('close', () => link.reset(opening, 'channel closed'));
      // The broker returns a message ahead of its confirm. All go to one queue, or are spread over those that are bound, so one
      // that found no way speaks for all that are in flight: they fail, and reconnecting declares the bindings again.
      created.on('return', () => {
        failAll('a message could not be routed');
        link.reset(opening, 'a message could not be routed');
      });
      connection = opening;
      channel = created;
      alarm = null;
      stalled = false;
      firstOpened();
    },
    onLost(reason) {
      channel = undefined;
      connection = undefined;
      alarm = null;
      stalled = false;
      refusals.restart();
      clearTimeout(replaceTimer);
      failAll(reason);
      // The verdicts of a dead channel come late or, for a write it never took, not at all.
      inFlight.clear();
      bodiesInFlight = 0;
      bytesInFlight = 0;
    },
  });

  const connecting = new AbortController();
  await Promise.race([opened, wait(FIRST_CONNECT_MS, undefined, { signal: connecting.signal }).catch(() => undefined)]);
  connecting.abort();

  return {
    fault,
    publish(bodies, { span = null, withinMs = Infinity } = {}) {
      const away = fault();
      if (away !== null || channel === undefined) {
        return Promise.reject(new UnavailableError(`RabbitMQ: ${away ?? 'connecting'}`));
      }
      if (bodies.length === 0) return Promise.resolve();
      const confirmed = new Promise<void>((resolve, reject) => {
        let bytes = 0;
        for (const body of bodies) bytes += body.byteLength;
        const call: Call = {
          bodies,
          bytes,
          traceparent: span?.traceparent ?? null,
          expiresAtMs: performance.now() + deadlineMs,
          resolve,
          reject,
          unconfirmed: 0,
          nacked: false,
          settled: false,
        };
        if (gathered.size === 0) setImmediate(sendGathered);
        gathered.add(call);
        if (gathered.size === SEND_AT_CALLS * layout.queues.length) sendGathered();
        watchDeadline();
      });
      // Calls share one timer by having the same deadline; who has less time left gets one more.
      return withinMs < deadlineMs ? withDeadline(confirmed, withinMs, 'RabbitMQ') : confirmed;
    },
    async close() {
      sendGathered();
      const last = channel;
      channel = undefined;
      for (const call of waiting) settle(call, new UnavailableError('RabbitMQ: closed'));
      await link.close(async () => last?.waitForConfirms());
      failAll('closed');
      inFlight.clear();
      clearTimeout(replaceTimer);
      clearTimeout(deadlineTimer);
    },
  };
}

function firstUnsettled(calls: ReadonlySet<Call>): Call | undefined {
  for (const call of calls) if (!call.settled) return call;
  return undefined;
}
