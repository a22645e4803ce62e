import { withDeadline } from '../../../src/runtime/deadline.ts';
import { missingOf } from '../system-under-fault.ts';
import type { Row } from '../row.ts';
import { beforeAck, beforeCommit, beforeCommitIsKnown, beforeInsert, type TrapFactory } from '../trap.ts';

const KILLS_EACH = 20;
/** Traffic goes on, so it springs with the next batch. */
const TRAP_MS = 60_000;

interface Step {
  readonly name: string;
  readonly fault: string;
  readonly trap: TrapFactory;
  readonly at: 'postgres' | 'rabbitmq';
}

const STEPS: readonly Step[] = [
  { name: 'received', fault: 'SIGKILL the worker when it has received', trap: beforeInsert, at: 'postgres' },
  { name: 'inserted', fault: 'SIGKILL the worker when it has inserted', trap: beforeCommit, at: 'postgres' },
  { name: 'committed', fault: 'SIGKILL the worker when it has committed', trap: beforeCommitIsKnown, at: 'postgres' },
  { name: 'before-ack', fault: 'SIGKILL the worker before its ack', trap: beforeAck, at: 'rabbitmq' },
];

export const workerSteps: readonly Row[] = STEPS.map(({ name, fault, trap, at }) => ({
  name: `worker-${name}`,
  fault,
  async run(arena) {
    const { system } = arena;
    const proxy = system.links.worker[at];
    arena.write();
    for (let kill = 0; kill < (arena.isQuick ? 1 : KILLS_EACH); kill += 1) {
      await arena.wait(arena.between(50, 300));
      await withDeadline(proxy.spring(trap), TRAP_MS, 'the trap');
      const held = await missingOf(system.databaseUrl, arena.ledger.acceptedIds());
      await system.worker.kill();
      await proxy.heal();
      if (kill === 0 && (name === 'received' || name === 'inserted')) {
        arena.holds('what it had in hand was not recorded', held.length > 0, `${held.length} waited`);
      }
      await system.worker.start();
      await arena.recovers();
    }
  },
}));
