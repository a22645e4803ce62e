import type { Row } from '../row.ts';
import { bothFrozen, bothStopped } from './both-away.ts';
import { brokerAlarm, brokerBlackHole, brokerFrozen, brokerStopped, brokerUnbound } from './broker.ts';
import { clock } from './clock.ts';
import { erased } from './erased.ts';
import { manyWorkers } from './many-workers.ts';
import { network } from './network.ts';
import { poison } from './poison.ts';
import {
  postgresDiskFails,
  postgresDiskFull,
  postgresReadOnly,
  postgresStopped,
  postgresTerminated,
} from './postgres.ts';
import { randomKills } from './random-kills.ts';
import { redis } from './redis.ts';
import { replicas } from './replicas.ts';
import { rollingRestarts } from './rolling-restarts.ts';
import { workerSteps } from './worker-steps.ts';

/** Every line of the table, in its order. */
export const ROWS: readonly Row[] = [
  randomKills,
  ...workerSteps,
  brokerStopped,
  brokerFrozen,
  brokerAlarm,
  brokerUnbound,
  brokerBlackHole,
  bothStopped,
  bothFrozen,
  postgresStopped,
  postgresTerminated,
  postgresReadOnly,
  postgresDiskFails,
  postgresDiskFull,
  ...replicas,
  ...redis,
  manyWorkers,
  poison,
  erased,
  clock,
  network,
  rollingRestarts,
];

/** Those that also promise how long something takes at most: they want the machine for themselves. */
export const TIMED_ROWS: ReadonlySet<Row> = new Set([
  brokerStopped,
  brokerFrozen,
  brokerAlarm,
  brokerBlackHole,
  bothStopped,
  bothFrozen,
  ...replicas,
  ...redis,
]);
