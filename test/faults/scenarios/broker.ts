import { connect } from 'amqplib';
import { occurredAtMs } from '../../../src/interactions/interaction-id.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { heldWhilePouring } from '../held-while-pouring.ts';
import { metricOf } from '../metric-of.ts';
import { acceptsAll, outcomesSince, timesSince } from '../outcomes.ts';
import { quantile } from '../quantile.ts';
import type { Arena, Row } from '../row.ts';
import { QUEUE } from '../system-under-fault.ts';

const STOPPED_MS = 120_000;
const FROZEN_MS = 20_000;
const QUICK_MS = 2_500;
/** A broker that hangs is given up so soon. */
const BREAKER_MS = 1_000;
const P99_MS = 100;
const BEHIND_MS = 5_000;
const MIB = 1024 * 1024;
/** As much as the API may have on its way to the broker at once. */
const FLAT_BYTES = 32 * MIB;
/** Three times what memory may grow by, if all were kept for the broker. */
const POURED_BYTES = 96 * MIB;

export const brokerStopped: Row = {
  name: 'broker-stopped',
  fault: 'RabbitMQ stopped',
  async run(arena) {
    const { system, isQuick } = arena;
    const writing = arena.write();
    await waitFor('the first ones', () => writing.exchanges.length > 20);
    const begunAtMs = performance.now();
    // In short: gone from the network, which no client can tell from a stopped server, and back without a start.
    if (isQuick) for (const { rabbitmq } of Object.values(system.links)) rabbitmq.refuse();
    else await system.rabbitmq.terminate();
    const stoppedAtMs = performance.now();
    const checkOutbox = await watchOutbox(arena);
    let longestMs = 0;
    while (performance.now() < stoppedAtMs + (isQuick ? QUICK_MS : STOPPED_MS)) {
      const accepted = arena.ledger.counts().accepted;
      const fromMs = performance.now();
      await waitFor('them to be recorded meanwhile', async () => (await arena.countRecorded()) >= accepted);
      longestMs = Math.max(longestMs, performance.now() - fromMs);
      await arena.wait(200);
    }
    const seen = await outcomesSince(writing, begunAtMs);
    acceptsAll(arena, seen);
    await checkOutbox();
    const p99Ms = quantile(timesSince(seen, begunAtMs), arena.nearlyAll);
    arena.tookLess(`p${arena.nearlyAll * 100} into the outbox under 100 ms`, p99Ms, P99_MS);
    arena.tookLess('recorded all the while', longestMs, BEHIND_MS);
    if (isQuick) await system.heal();
    else await system.rabbitmq.restart();
    await arena.recovers();
  },
};

export const brokerFrozen: Row = {
  name: 'broker-frozen',
  fault: 'RabbitMQ frozen (SIGSTOP)',
  run: (arena) =>
    hangs(arena, {
      begin: async () => arena.system.rabbitmq.pause(),
      end: async () => arena.system.rabbitmq.resume(),
    }),
};

export const brokerAlarm: Row = {
  name: 'broker-alarm',
  fault: 'RabbitMQ under its memory alarm',
  run: (arena) =>
    hangs(arena, {
      begin: () => setWatermark(arena, '0.0000001'),
      end: () => setWatermark(arena, '0.4'),
    }),
};

export const brokerUnbound: Row = {
  name: 'broker-unbound',
  fault: 'the binding of the queue deleted',
  run: (arena) =>
    hangs(arena, {
      async begin() {
        const connection = await connect(arena.system.rabbitmq.url);
        const channel = await connection.createChannel();
        await channel.unbindQueue(QUEUE, QUEUE, QUEUE);
        await connection.close();
      },
      // The API puts it back by itself.
      end: () => Promise.resolve(),
    }),
};

/** The network between the API and the broker loses everything, and never says so. */
export const brokerBlackHole: Row = {
  name: 'broker-black-hole',
  fault: 'the network to RabbitMQ swallows everything',
  run: (arena) =>
    hangs(arena, {
      begin: async () => arena.system.links.api.rabbitmq.blackHole(),
      end: () => arena.system.links.api.rabbitmq.heal(),
    }),
};

interface Fault {
  begin(): Promise<void>;
  end(): Promise<void>;
}

async function hangs(arena: Arena, fault: Fault): Promise<void> {
  const writing = arena.write();
  await waitFor('the first ones', () => writing.exchanges.length > 20);
  const heldBefore = arena.isQuick ? 0 : await heldWhilePouring(arena, 0);
  const begunAtMs = performance.now();
  await fault.begin();
  try {
    await arena.wait(arena.isQuick ? QUICK_MS : FROZEN_MS);
    // Those as well who were under way when it began.
    const seen = await outcomesSince(writing, begunAtMs - BREAKER_MS);
    acceptsAll(arena, seen);
    // What is sent once the breaker is open goes straight into the outbox.
    const later = timesSince(seen, begunAtMs + BREAKER_MS);
    arena.tookLess('breaker within 1 s', quantile(later, arena.nearlyAll), P99_MS * 2.5);
    arena.tookLess('nobody waits longer', Math.max(...timesSince(seen, 0)), BREAKER_MS + 500);
    // In short it is a few megabytes, and no more than garbage that is not collected yet.
    if (!arena.isQuick) {
      const grownBytes = (await heldWhilePouring(arena, POURED_BYTES)) - heldBefore;
      const value = `${Math.round(grownBytes / MIB)} MiB more after ${POURED_BYTES / MIB}`;
      arena.holds('memory flat', grownBytes < FLAT_BYTES, value);
    }
  } finally {
    await fault.end();
  }
  await arena.recovers();
}

/** What it gives holds what was accepted since against where the API says that it went. */
async function watchOutbox({ system, ledger, holds }: Arena): Promise<() => Promise<void>> {
  const count = (queue: string): Promise<number> =>
    metricOf(system.api.metricsUrl, 'groundswell_published_total', `queue="${queue}"`);
  const before = { outbox: await count('outbox'), rabbitmq: await count('rabbitmq') };
  // By the clock that ids are made of.
  const fromMs = Date.now();
  return async () => {
    const accepted = ledger.acceptedIds().filter((id) => occurredAtMs(id) >= fromMs).length;
    const outbox = (await count('outbox')) - before.outbox;
    const rabbitmq = (await count('rabbitmq')) - before.rabbitmq;
    // The outbox has more: what was sent again, and what is accepted while this is asked.
    const isAllThere = accepted > 0 && outbox >= accepted && rabbitmq === 0;
    holds('all of them into the outbox', isAllThere, `${accepted}, ${rabbitmq} elsewhere`);
  };
}

async function setWatermark({ system }: Arena, share: string): Promise<void> {
  await system.rabbitmq.ctl(['set_vm_memory_high_watermark', share]);
}
