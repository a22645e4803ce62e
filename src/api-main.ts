import { exitOnStartFault } from './runtime/start-fault.ts';
import { serve } from './serve.ts';

/** `npm run api`: the API alone. */
serve({ allInOne: false }).catch(exitOnStartFault);
