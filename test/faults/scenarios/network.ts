import { waitFor } from '../../servers/wait-for.ts';
import type { FaultProxy } from '../fault-proxy.ts';
import type { Row } from '../row.ts';

const FAULTS = { quick: 6, full: 60 };
const KINDS = ['delay', 'black hole', 'reset', 'half-close'] as const;
const DELAY_MS = 150;

/** Any way between a process and a server, one after the other. */
export const network: Row = {
  name: 'network',
  fault: 'the network to any server delays, swallows, resets, half-closes, at random',
  async run(arena) {
    const { system, isQuick, between } = arena;
    const processes = [system.api.current(), system.worker.current()];
    const ways = Object.values(system.links).flatMap(({ postgres, rabbitmq, redis, replicas }) => [
      postgres,
      rabbitmq,
      redis,
      ...replicas,
    ]);
    const writing = arena.write();
    await waitFor('the first ones', () => writing.exchanges.length > 20);
    for (let fault = 0; fault < (isQuick ? FAULTS.quick : FAULTS.full); fault += 1) {
      const way = ways[between(0, ways.length)];
      const kind = KINDS[between(0, KINDS.length)];
      if (way === undefined || kind === undefined) continue;
      inflict(way, kind);
      await arena.wait(between(100, isQuick ? 600 : 3_000));
      await way.heal();
    }
    await arena.recovers();
    const codes = processes.map((process) => process.exitCode());
    arena.holds(
      'both are still the same processes',
      codes.every((code) => code === null),
      codes.map((code) => code ?? 'running').join(', '),
    );
  },
};

function inflict(way: FaultProxy, kind: (typeof KINDS)[number]): void {
  switch (kind) {
    case 'delay':
      return way.delay(DELAY_MS);
    case 'black hole':
      return way.blackHole();
    case 'reset':
      return way.reset();
    case 'half-close':
      return way.halfClose();
  }
}
