import { readFileSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { newInteractionId } from '../src/interactions/interaction-id.ts';
import { quantile } from '../test/faults/quantile.ts';

/** What `open-loop.ts` is to do, from the file that it is started with. */
export interface OpenLoopPlan {
  readonly port: number;
  /** Of `connections` at most, all made before the first phase. */
  readonly connections: number;
  readonly phases: readonly Phase[];
  /** Bearer tokens of those who write. */
  readonly tokens: readonly string[];
  readonly items: number;
  readonly acceptText: string;
  readonly cachedBody: string;
  readonly computedBodies: readonly string[];
  /** How long a stretch of `windows` is. */
  readonly windowMs: number;
  readonly resultFile: string;
}

export interface Phase {
  readonly seconds: number;
  /** Requests that begin in a second, whatever came of those before; null: each connection asks again when it was answered. */
  readonly perSecond: number | null;
  /** Of a closed loop: how many of the connections ask. */
  readonly clients: number;
}

export interface PhaseResult {
  /** When its first request was due, by the clock of the machine. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly seconds: number;
  readonly sent: number;
  /** Due, and no connection was free. */
  readonly unsent: number;
  /** Answered with what was asked for, within a second of when it was due. */
  readonly good: number;
  readonly late: number;
  /** 503 or 429 with `Retry-After` and a code. */
  readonly refused: number;
  /** Anything else, by what it was: resets, other statuses, refusals that do not say when to try again. */
  readonly faults: Readonly<Record<string, number>>;
  readonly goodP99Ms: number;
  readonly refusedP99Ms: number;
  /** How late the load itself was, 99th percentile: so much of any time may be its own. */
  readonly ownLagP99Ms: number;
  /** By when requests were due. */
  readonly windows: readonly Window[];
}

export interface Window {
  due: number;
  good: number;
}

const GOOD_WITHIN_MS = 1_000;
/** After the last phase, for what is still on its way. */
const PATIENCE_MS = 3_000;
const CONNECT_AT_ONCE = 100;
const LAG_RESOLUTION_MS = 10;

type Kind = 'good' | 'late' | 'refused';

interface Running {
  readonly startedAtMs: number;
  readonly result: { sent: number; unsent: number } & Record<Kind, number>;
  readonly faults: Record<string, number>;
  readonly times: Record<'good' | 'refused', number[]>;
  readonly windows: Window[];
  readonly ownLag: IntervalHistogram;
}

interface Client {
  socket: Socket;
  asked: { dueAtMs: number; phase: Running; again: boolean } | null;
  text: string;
}

async function main(plan: OpenLoopPlan): Promise<PhaseResult[]> {
  const free: Client[] = [];
  let takenFrom = 0;
  let closing = false;
  let request = 0;
  const accepts = plan.tokens.map(
    (token) =>
      `POST /graphql HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nauthorization: Bearer ${token}\r\n`,
  );
  const reads = [plan.cachedBody, ...plan.computedBodies].map((body) => post('', body));

  function post(head: string, body: string): string {
    const start = head === '' ? 'POST /graphql HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n' : head;
    return `${start}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }

  /** Of ten requests five for the list that everybody sees, two for pages of their own, three writes. */
  function nextRequest(): string {
    request += 1;
    const turn = request % 10;
    if (turn < 5) return reads[0] ?? '';
    if (turn < 7) return reads[1 + (request % plan.computedBodies.length)] ?? '';
    const input = { itemId: `item-${1 + (request % plan.items)}`, type: 'VIEW', id: newInteractionId() };
    const body = JSON.stringify({ operationName: 'RecordInteraction', query: plan.acceptText, variables: { input } });
    return post(accepts[request % accepts.length] ?? '', body);
  }

  function connect(): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ port: plan.port, host: '127.0.0.1', noDelay: true });
      const client: Client = { socket, asked: null, text: '' };
      socket.setEncoding('latin1');
      let connected = false;
      socket.once('connect', () => {
        connected = true;
        resolve(client);
      });
      socket.on('data', (chunk) => {
        client.text += String(chunk);
        const answer = wholeAnswer(client.text);
        if (answer !== null) settle(client, answer);
      });
      let reason = 'closed';
      socket.once('error', (error) => {
        reason = 'code' in error ? String(error.code) : 'error';
        reject(error);
      });
      socket.once('close', () => {
        if (closing || !connected) return;
        const { asked } = client;
        // Closed between two requests is how a server may end any connection.
        if (asked !== null) asked.phase.faults[reason] = (asked.phase.faults[reason] ?? 0) + 1;
        client.asked = null;
        void replace(asked);
      });
    });
  }

  async function replace(asked: Client['asked']): Promise<void> {
    const client = await connect().catch(() => undefined);
    if (client === undefined) return;
    if (asked?.again === true) ask(client, performance.now(), asked.phase, true);
    else free.push(client);
  }

  function ask(client: Client, dueAtMs: number, phase: Running, again: boolean): void {
    client.asked = { dueAtMs, phase, again };
    client.text = '';
    phase.result.sent += 1;
    client.socket.write(nextRequest(), 'latin1');
  }

  function settle(client: Client, answer: string): void {
    const { asked } = client;
    if (asked === null) return;
    client.asked = null;
    const { phase, dueAtMs } = asked;
    const elapsedMs = performance.now() - dueAtMs;
    const status = answer.slice(9, 12);
    const refused = status === '503' || status === '429';
    if (status === '200' && !answer.includes('"errors"')) {
      phase.times.good.push(elapsedMs);
      phase.result[elapsedMs <= GOOD_WITHIN_MS ? 'good' : 'late'] += 1;
      const window = phase.windows[Math.floor((dueAtMs - phase.startedAtMs) / plan.windowMs)];
      if (window !== undefined && elapsedMs <= GOOD_WITHIN_MS) window.good += 1;
    } else if (refused && /\r\nretry-after: \d/i.test(answer) && answer.includes('"code":')) {
      phase.times.refused.push(elapsedMs);
      phase.result.refused += 1;
    } else {
      const name = `${status} ${/"code":"(\w+)"/.exec(answer)?.[1] ?? 'without a code'}`;
      phase.faults[name] = (phase.faults[name] ?? 0) + 1;
    }
    if (/\r\nconnection: close/i.test(answer)) client.socket.destroy();
    else if (asked.again && !closing) ask(client, performance.now(), phase, true);
    else free.push(client);
  }

  /** The one that has been free for longest: as if they were many people. */
  function take(): Client | undefined {
    while (takenFrom < free.length) {
      const client = free[takenFrom];
      takenFrom += 1;
      if (takenFrom > 100_000) takenFrom -= free.splice(0, takenFrom).length;
      if (client !== undefined && !client.socket.destroyed) return client;
    }
    return undefined;
  }

  function run({ seconds, perSecond, clients }: Phase): Promise<[Running, number]> {
    const startedAtMs = performance.now();
    const phase: Running = {
      startedAtMs,
      result: { sent: 0, unsent: 0, good: 0, late: 0, refused: 0 },
      faults: {},
      times: { good: [], refused: [] },
      windows: Array.from({ length: Math.ceil((seconds * 1_000) / plan.windowMs) }, () => ({ due: 0, good: 0 })),
      ownLag: monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS }),
    };
    phase.ownLag.enable();
    const asking: Client[] = [];
    if (perSecond === null) {
      for (let n = 0; n < clients; n += 1) {
        const client = take();
        if (client !== undefined) asking.push(client);
      }
      for (const client of asking) ask(client, performance.now(), phase, true);
    }
    let due = 0;
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const elapsedMs = performance.now() - startedAtMs;
        for (; perSecond !== null && due < (Math.min(elapsedMs, seconds * 1_000) * perSecond) / 1_000; due += 1) {
          const dueAtMs = startedAtMs + (due * 1_000) / perSecond;
          const window = phase.windows[Math.floor((dueAtMs - startedAtMs) / plan.windowMs)];
          if (window !== undefined) window.due += 1;
          const client = take();
          if (client === undefined) phase.result.unsent += 1;
          else ask(client, dueAtMs, phase, false);
        }
        if (elapsedMs < seconds * 1_000) return;
        clearInterval(timer);
        phase.ownLag.disable();
        for (const client of asking) if (client.asked !== null) client.asked.again = false;
        resolve([phase, performance.now()]);
      }, 1);
    });
  }

  while (free.length < plan.connections) {
    free.push(...(await Promise.all(Array.from({ length: CONNECT_AT_ONCE }, connect))));
  }
  const ran: [Running, number][] = [];
  for (const phase of plan.phases) ran.push(await run(phase));
  await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  closing = true;
  return ran.map(([{ startedAtMs, result, faults, times, windows, ownLag }, endedAtMs]) => {
    const answered = result.good + result.late + result.refused + Object.values(faults).reduce((a, b) => a + b, 0);
    const unanswered = result.sent - answered;
    return {
      ...result,
      faults: unanswered === 0 ? faults : { ...faults, unanswered },
      startedAtMs: performance.timeOrigin + startedAtMs,
      endedAtMs: performance.timeOrigin + endedAtMs,
      seconds: (endedAtMs - startedAtMs) / 1_000,
      goodP99Ms: quantile(times.good, 0.99),
      refusedP99Ms: quantile(times.refused, 0.99),
      ownLagP99Ms: Math.max(0, ownLag.percentile(99) / 1e6 - LAG_RESOLUTION_MS),
      windows,
    };
  });
}

/** Head and body, or null while some of it is missing. */
function wholeAnswer(text: string): string | null {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  return text.length >= end + 4 + Number(length ?? 0) ? text : null;
}

const plan: OpenLoopPlan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
writeFileSync(plan.resultFile, JSON.stringify(await main(plan)));
process.exit(0);
