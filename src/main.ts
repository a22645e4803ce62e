import { exitOnStartFault } from './runtime/start-fault.ts';
import { serve } from './serve.ts';

/**
 * `npm start`: the API. On the embedded Postgres it is all there is to start: the worker runs beside it, and the first
 * start brings a demo catalogue. With a DATABASE_URL workers are processes of their own.
 */
serve({ allInOne: true }).catch(exitOnStartFault);
