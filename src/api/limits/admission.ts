import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createAdaptiveLimit } from './adaptive-limit.ts';
import { createLoopGate } from './loop-gate.ts';

/** Of one request. */
export interface Ticket {
  /** 0: not at work. */
  enteredAtMs: number;
  isOver: boolean;
}

export function newTicket(): Ticket {
  return { enteredAtMs: 0, isOver: false };
}

/** Decides which requests are worked on. All of it costs well under a microsecond a request. */
export interface Admission {
  /** Before anything is read of a request: the limit that it meets, or null. */
  refusal(): 'busy' | 'lag' | null;
  /** Once all of the request is there, so that a slow sender holds no place. False: it is full by now. */
  enter(ticket: Ticket): boolean;
  /** Its work has ended. Does nothing for one that never entered. */
  leave(ticket: Ticket): void;
  /** Settles as `work` does. Who waits for the work of others does none: meanwhile the request holds no place, and its time is not load. */
  pause<T>(ticket: Ticket, work: Promise<T>): Promise<T>;
  /** True while so many are refused that refusing is work itself. */
  isStorm(): boolean;
  inFlight(): number;
  limit(): number;
  openShare(): number;
  stop(): void;
}

export interface AdmissionOptions {
  /** Never more at work than this. */
  readonly maxInFlight: number;
  /** The mean lag of the event loop over two windows above which less is let in. */
  readonly maxLagMs: number;
}

const WINDOW_MS = 100;
/** Below so many at work nothing is refused, however slow they are. */
const MIN_LIMIT = 50;
/** Of the latest in a window; their median stands for all. */
const SAMPLES = 64;
const LAG_RESOLUTION_MS = 10;
const STORM_REFUSALS = 20;

export function createAdmission({ maxInFlight, maxLagMs }: AdmissionOptions): Admission {
  const adaptive = createAdaptiveLimit({ min: Math.min(MIN_LIMIT, maxInFlight), max: maxInFlight });
  const gate = createLoopGate({ maxLagMs });
  const delays = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  delays.enable();
  const samples = new Float64Array(SAMPLES);
  let ended = 0;
  let arrivals = 0;
  let refusals = 0;
  let refusalsBefore = 0;
  let inFlight = 0;
  let peakInFlight = 0;
  let limit = maxInFlight;

  function turnWindow(): void {
    const sorted = samples.subarray(0, Math.min(ended, SAMPLES)).sort();
    adaptive.update({ medianMs: sorted[sorted.length >> 1] ?? null, peakInFlight });
    limit = adaptive.limit();
    // Without a sample there was no delay to be seen.
    const lagMs = delays.count === 0 ? 0 : delays.mean / 1e6 - LAG_RESOLUTION_MS;
    delays.reset();
    gate.update({ lagMs, arrivals });
    refusalsBefore = refusals;
    refusals = 0;
    arrivals = 0;
    ended = 0;
    peakInFlight = inFlight;
  }

  const timer = setInterval(turnWindow, WINDOW_MS).unref();

  function begin(ticket: Ticket): void {
    inFlight += 1;
    if (inFlight > peakInFlight) peakInFlight = inFlight;
    ticket.enteredAtMs = performance.now();
  }

  function end(ticket: Ticket): void {
    if (ticket.enteredAtMs === 0) return;
    inFlight -= 1;
    samples[ended % SAMPLES] = performance.now() - ticket.enteredAtMs;
    ended += 1;
    ticket.enteredAtMs = 0;
  }

  return {
    refusal() {
      arrivals += 1;
      if (inFlight >= limit) {
        refusals += 1;
        return 'busy';
      }
      if (gate.admits()) return null;
      refusals += 1;
      return 'lag';
    },
    enter(ticket) {
      if (inFlight >= limit) {
        refusals += 1;
        return false;
      }
      begin(ticket);
      return true;
    },
    leave(ticket) {
      ticket.isOver = true;
      end(ticket);
    },
    async pause(ticket, work) {
      end(ticket);
      try {
        return await work;
      } finally {
        // Of several waits of one request the first to end has taken the place again.
        if (!ticket.isOver && ticket.enteredAtMs === 0) begin(ticket);
      }
    },
    isStorm: () => refusals + refusalsBefore > STORM_REFUSALS,
    inFlight: () => inFlight,
    limit: () => limit,
    openShare: () => gate.openShare(),
    stop() {
      clearInterval(timer);
      delays.disable();
    },
  };
}
