import { withDeadline } from '../../../src/runtime/deadline.ts';
import { query } from '../../servers/query.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { metricOf } from '../metric-of.ts';
import type { Arena, Row } from '../row.ts';
import { missingOf } from '../system-under-fault.ts';
import type { Traffic } from '../traffic.ts';
import {
  beforeAck,
  beforeCommit,
  beforeCommitIsKnown,
  beforeInsert,
  withTransaction,
  type TrapFactory,
} from '../trap.ts';

const KILLS_EACH = 20;
/** Traffic goes on, so it springs with the next batch. */
const TRAP_MS = 60_000;
const REDELIVERY_MS = 10_000;
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

interface Step {
  readonly name: string;
  readonly fault: string;
  readonly trap: TrapFactory;
  readonly at: 'postgres' | 'rabbitmq';
  /** RabbitMQ is away for the API meanwhile, and each batch comes by the outbox. */
  readonly isByOutbox?: boolean;
  /** What the worker has in hand there. */
  readonly isRecorded: boolean;
}

const STEPS: readonly Step[] = [
  {
    name: 'received',
    fault: 'SIGKILL the worker when it has received',
    trap: beforeInsert,
    at: 'postgres',
    isRecorded: false,
  },
  {
    name: 'inserted',
    fault: 'SIGKILL the worker when it has inserted',
    trap: beforeCommit,
    at: 'postgres',
    isRecorded: false,
  },
  {
    name: 'inserted-outbox',
    fault: 'SIGKILL the worker when it has inserted what came by the outbox',
    trap: beforeCommit,
    at: 'postgres',
    isByOutbox: true,
    isRecorded: false,
  },
  {
    name: 'committed',
    fault: 'SIGKILL the worker when it has committed',
    trap: beforeCommitIsKnown,
    at: 'postgres',
    isRecorded: true,
  },
  { name: 'before-ack', fault: 'SIGKILL the worker before its ack', trap: beforeAck, at: 'rabbitmq', isRecorded: true },
];

export const workerSteps: readonly Row[] = STEPS.map((step) => ({
  name: `worker-${step.name}`,
  fault: step.fault,
  async run(arena) {
    const { trap, at, isByOutbox = false, isRecorded } = step;
    const { system } = arena;
    const proxy = system.links.worker[at];
    const kills = arena.isQuick ? 1 : KILLS_EACH;
    // What comes to a worker a second time is then what was not acknowledged, and nothing else.
    const writing = arena.write({ resends: false });
    let asExpected = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      await arena.wait(arena.between(50, 300));
      if (isByOutbox) await turnToOutbox(arena, writing);
      let sent = '';
      await withDeadline(proxy.spring(withTransaction(trap, (text) => (sent = text))), TRAP_MS, 'the trap');
      const inHand = idsIn(sent, arena);
      const missing = await missingOf(system.databaseUrl, inHand);
      await system.worker.kill();
      await system.heal();
      await system.worker.start();
      await arena.recovers();
      // No ids are on their way to RabbitMQ: of what is not acknowledged there one at least comes again.
      const isAsExpected = isRecorded
        ? missing.length === 0 && (await comesAgain(arena, Math.max(1, inHand.length)))
        : inHand.length > 0 && missing.length === inHand.length;
      if (isAsExpected) asExpected += 1;
    }
    const what = isRecorded
      ? 'what it had in hand was recorded, and comes again'
      : 'what it had in hand was not recorded';
    arena.holds(what, asExpected === kills, `${asExpected} of ${kills}`);
  },
}));

/**
 * Cuts RabbitMQ off from the API: what it took and did not confirm goes into the outbox too. Resolves when all accepted so far is recorded,
 * and nothing of it waits in the outbox to be recorded again.
 */
async function turnToOutbox({ system, ledger }: Arena, { open }: Traffic): Promise<void> {
  system.links.api.rabbitmq.refuse();
  const underWay = [...open];
  await waitFor('their answers', () => underWay.every((one) => !open.has(one)));
  const accepted = ledger.acceptedIds();
  await waitFor('them to be recorded', async () => (await missingOf(system.databaseUrl, accepted)).length === 0);
  const [last] = await query(system.databaseUrl, 'SELECT coalesce(max(seq), 0)::text AS seq FROM outbox');
  const waiting = `SELECT FROM outbox WHERE seq <= ${String(last?.['seq'])} LIMIT 1`;
  await waitFor('the outbox', async () => (await query(system.databaseUrl, waiting)).length === 0);
}

/** The interactions of this row that a text of the worker's names. */
function idsIn(text: string, { ledger }: Arena): string[] {
  const entries = ledger.entries();
  return [...new Set(text.match(UUID))].filter((id) => entries.has(id));
}

/** Whether the worker that has just started gets so many that are recorded. */
function comesAgain({ system }: Arena, count: number): Promise<boolean> {
  const isThere = async (): Promise<boolean> =>
    (await metricOf(system.worker.metricsUrl, 'groundswell_recorded_total', 'outcome="duplicate"')) >= count;
  return waitFor('what was not acknowledged', isThere, { deadlineMs: REDELIVERY_MS }).then(
    () => true,
    () => false,
  );
}
