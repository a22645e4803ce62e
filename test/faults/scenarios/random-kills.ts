import type { Arena, Row } from '../row.ts';

/** Everything that can be killed: gone, and then back as its supervisor brings it. */
const VICTIMS = ['API', 'worker', 'RabbitMQ', 'Redis', 'Postgres'] as const;
const KILLS = 100;
/** So old may be what `/health/ready` answers (src/runtime/readiness.ts). */
const LOOK_AGE_MS = 2_000;

export const randomKills: Row = {
  name: 'random-kills',
  fault: 'SIGKILL the API, the worker, RabbitMQ, Redis, Postgres, at random',
  async run(arena) {
    const { system, isQuick, between } = arena;
    await system.rabbitmq.whenQueueIsOnDisk('groundswell.interactions');
    arena.write();
    const kills = isQuick ? shuffled(VICTIMS, arena) : Array.from({ length: KILLS }, () => VICTIMS[between(0, 5)]);
    const comingBack = new Map<string, Promise<void>>();
    for (const victim of kills) {
      if (victim === undefined) continue;
      await arena.wait(between(0, isQuick ? 300 : 2_000));
      // One that is still on its way up cannot be told apart from one that was killed twice.
      await comingBack.get(victim);
      const returning = killAndRestart(victim, arena);
      // Who waits for it learns of a failure; nobody may be waiting yet.
      returning.catch(() => undefined);
      comingBack.set(victim, returning);
    }
    await Promise.all(comingBack.values());
    await arena.recovers();
    // Until then a process may tell that it was well before the last kill.
    await arena.wait(LOOK_AGE_MS);
    const problem = await system.problem();
    arena.holds('restart unaided', problem === null, problem ?? `${kills.length} kills`);
  },
};

async function killAndRestart(victim: (typeof VICTIMS)[number], { system }: Arena): Promise<void> {
  const { api, worker, rabbitmq, redis, postgres } = system;
  switch (victim) {
    case 'API':
      await api.kill();
      return api.start();
    case 'worker':
      await worker.kill();
      return worker.start();
    case 'RabbitMQ':
      await rabbitmq.kill();
      return rabbitmq.restart();
    case 'Redis':
      await redis.kill();
      return redis.restart();
    case 'Postgres':
      await postgres.primary.kill();
      return postgres.primary.restart();
  }
}

function shuffled<T>(values: readonly T[], { random }: Arena): T[] {
  return values
    .map((value) => ({ value, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
