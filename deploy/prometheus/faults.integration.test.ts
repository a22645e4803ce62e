import { alertSuite } from '../testing/alert-suite.ts';
import { MANY_KILLED } from '../testing/faults.ts';

// All alerts, each by a fault of its own, take some ten minutes: npm run test:alerts.
alertSuite([MANY_KILLED], MANY_KILLED.raises);
