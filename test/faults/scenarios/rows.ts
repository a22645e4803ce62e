import type { Row } from '../row.ts';
import { bothFrozen, bothStopped } from './both-away.ts';
import { brokerAlarm, brokerBlackHole, brokerFrozen, brokerStopped, brokerUnbound } from './broker.ts';
import { randomKills } from './random-kills.ts';
import { workerSteps } from './worker-steps.ts';

/** Every line of the table, in its order. */
export const ROWS: readonly Row[] = [
  randomKills,
  ...workerSteps,
  brokerStopped,
  brokerFrozen,
  brokerBlackHole,
  brokerAlarm,
  brokerUnbound,
  bothStopped,
  bothFrozen,
];
