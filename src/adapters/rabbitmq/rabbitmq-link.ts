import { connect, type ChannelModel } from 'amqplib';
import { messageOf } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { withDeadline } from '../../runtime/deadline.ts';

/** TCP, handshake, topology and channels together. amqplib itself would wait for ever. */
const OPEN_DEADLINE_MS = 3_000;
/** To make a quorum queue takes a broker some 30 ms, and a busy one many times as long. */
const OPEN_QUEUE_DEADLINE_MS = 500;
const CLOSE_DEADLINE_MS = 1_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 3_000;
/** A connection that fails sooner than this after it opened counts as one more vain attempt. */
const SETTLED_AFTER_MS = 5_000;
/** Two of these without a byte and the connection is given up; the broker's own default is 60. */
const HEARTBEAT_SECONDS = 10;

export interface RabbitmqLink {
  /** What keeps it from working, or null while it is open. */
  fault(): string | null;
  /** Drops the connection without a goodbye, and reconnects. Only the first call for a connection counts. */
  reset(connection: ChannelModel, reason: string): void;
  /** No reconnection from here on. `goodbye` still uses the open connection; then it is closed. */
  close(goodbye?: (connection: ChannelModel) => Promise<unknown>): Promise<void>;
}

export interface RabbitmqLinkOptions {
  /** Nodes of one cluster, tried in turn. */
  readonly urls: readonly string[];
  readonly purpose: string;
  /** Beside the connection itself, all that `onOpen` declares has to be done in time. Not set: enough for one queue. */
  readonly queues?: number;
  readonly logger: Logger;
  /** Declares, makes channels, consumes. A failure counts as a failed connection. */
  onOpen(connection: ChannelModel): Promise<void>;
  /** Also after an attempt that failed while opening. */
  onLost(reason: string): void;
}

interface Session {
  readonly abort: AbortController;
  connection?: ChannelModel;
  openedAtMs?: number;
  over: boolean;
}

/**
 * One connection that is kept up for ever. Whatever goes wrong on it (a closed channel, a cancelled consumer) ends the
 * whole connection: there is one way back, and it is the one taken after every restart of the broker.
 */
export function keepConnected(options: RabbitmqLinkOptions): RabbitmqLink {
  const { urls, purpose, queues = 1, logger } = options;
  const openDeadlineMs = OPEN_DEADLINE_MS + (queues - 1) * OPEN_QUEUE_DEADLINE_MS;
  let session: Session | undefined;
  let retry: NodeJS.Timeout | undefined;
  let attempts = 0;
  let closed = false;
  let everTried = false;
  // Processes that start together spread over the nodes.
  let node = Math.floor(Math.random() * urls.length);
  let fault: string | null = 'not connected yet';

  function lost(ended: Session, reason: string): void {
    // While it is being closed its channels end one by one, and what they have still to say goes out.
    if (ended.over || closed) return;
    ended.over = true;
    ended.abort.abort();
    if (ended.openedAtMs !== undefined && performance.now() - ended.openedAtMs > SETTLED_AFTER_MS) attempts = 0;
    const delayMs = backoffMs(attempts);
    attempts += 1;
    node += 1;
    // One line when it goes away, none for each vain attempt after it.
    if (ended.openedAtMs !== undefined || !everTried) logger.warn({ purpose, reason }, 'RabbitMQ is away');
    else logger.debug({ purpose, reason, attempts }, 'RabbitMQ is still away');
    everTried = true;
    fault = reason;
    options.onLost(reason);
    retry = setTimeout(open, delayMs);
  }

  function open(): void {
    const url = urls[node % urls.length];
    if (closed || url === undefined) return;
    const opening: Session = { abort: new AbortController(), over: false };
    session = opening;
    withDeadline(establish(opening, url), openDeadlineMs, 'RabbitMQ').then(
      () => {
        if (opening.over) return;
        opening.openedAtMs = performance.now();
        everTried = true;
        fault = null;
        logger.info({ purpose }, 'RabbitMQ is connected');
      },
      (error: unknown) => lost(opening, messageOf(error)),
    );
  }

  async function establish(opening: Session, url: string): Promise<void> {
    // Not in amqplib's types, but it hands its options to net.connect: the one way to end a socket that is stuck.
    const socketOptions = { noDelay: true, keepAlive: true, signal: opening.abort.signal };
    const connection = await connect(withHeartbeat(url), socketOptions);
    connection.on('error', (error) => lost(opening, messageOf(error)));
    connection.on('close', (error) => lost(opening, error === undefined ? 'connection closed' : messageOf(error)));
    opening.connection = connection;
    if (opening.over || closed) throw new Error('closed while connecting');
    await options.onOpen(connection);
  }

  open();
  return {
    fault: () => fault,
    reset(connection, reason) {
      if (session?.connection === connection) lost(session, reason);
    },
    async close(goodbye) {
      if (closed) return;
      closed = true;
      clearTimeout(retry);
      const last = session;
      fault = 'closed';
      if (last === undefined || last.over) return;
      const connection = last.connection;
      // Also where `onOpen` is not done: deliveries come, and are acknowledged, before it has begun to consume the last queue.
      if (connection !== undefined) {
        const parting = (async () => {
          await goodbye?.(connection);
          await connection.close();
        })();
        await withDeadline(parting, CLOSE_DEADLINE_MS, 'RabbitMQ').catch(() => undefined);
      }
      last.over = true;
      last.abort.abort();
    },
  };
}

function backoffMs(attempts: number): number {
  const ceiling = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 10));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return parsed.href;
}
