import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { ask, type Answer } from './ask.ts';
import type { Ledger, Sent } from './ledger.ts';

/** One request and its answer. */
export interface Exchange {
  /** Of performance.now(). */
  readonly startedAtMs: number;
  readonly ms: number;
  readonly outcome: 'accepted' | 'refused' | 'no answer';
  readonly retryAfter: number | null;
}

export interface Traffic {
  /** In order of their answers. */
  readonly exchanges: readonly Exchange[];
  /** Begun and not answered yet. */
  readonly open: ReadonlySet<Pick<Exchange, 'startedAtMs'>>;
  /** Answers that are neither yes nor a refusal to be tried again. */
  readonly faults: readonly string[];
  /** Lets what is under way be tried to its end. */
  stop(): Promise<void>;
}

export interface WriteOptions {
  readonly url: string;
  readonly items: readonly string[];
  readonly ledger: Ledger;
  readonly random: () => number;
  readonly clients?: number;
  /** At most, between two requests of one client; on average half of it. */
  readonly gapMs: number;
  /** The id goes as Idempotency-Key, singles only. */
  readonly byKey?: boolean;
  /** In bulk alone, each with all the metadata that it may have: `LARGE_BYTES` a request. */
  readonly large?: boolean;
  /** Some of what was accepted is sent once more. Not set: true. */
  readonly resends?: boolean;
}

const ONE = `mutation ($input: RecordInteractionInput!) {
  recordInteraction(input: $input) { interaction { id } userErrors { code } } }`;
const RETRACT = `mutation ($input: RetractInteractionInput!) {
  retractInteraction(input: $input) { interaction { id } userErrors { code } } }`;
const MANY = `mutation ($inputs: [RecordInteractionInput!]!) {
  recordInteractions(inputs: $inputs) { results { interaction { id } userErrors { code } } } }`;
const TYPES = ['VIEW', 'VIEW', 'VIEW', 'LIKE', 'LIKE', 'SAVE', 'COMMENT', 'SHARE', 'PURCHASE'];
/** Few, so that they meet on their own reactions again and again. */
const PEOPLE = 40;
const BULK = 10;
const LARGE_BULK = 25;
/** 4 KiB as JSON. */
const METADATA = 'x'.repeat(4_094);
export const LARGE_BYTES = LARGE_BULK * 4_096;
const SHARES = { bulk: 0.1, retraction: 0.05, again: 0.02 };
const RETRY_MS = 100;
/** So long after the stop it is still tried to get an answer. */
const LAST_TRIES_MS = 20_000;

/**
 * Clients that keep a connection each and write one thing after the other. Whatever gets no answer is sent again with the
 * same id, as apps do, and some of what was accepted too, as phones do whose answer got lost.
 */
export function startWriting(options: WriteOptions): Traffic {
  const { url, items, ledger, random, clients = 6, gapMs, byKey = false, large = false, resends = true } = options;
  const exchanges: Exchange[] = [];
  const open = new Set<Pick<Exchange, 'startedAtMs'>>();
  const faults: string[] = [];
  let stoppedAtMs = Infinity;
  const pick = <T>(from: readonly T[]): T => {
    const picked = from[Math.floor(random() * from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  };

  function next(): Sent[] {
    const viewer = `person-${Math.floor(random() * PEOPLE)}`;
    const draw = random();
    const retraction = !byKey && !large && draw < SHARES.retraction;
    const isBulk = !byKey && !retraction && draw < SHARES.retraction + SHARES.bulk;
    return Array.from({ length: large ? LARGE_BULK : isBulk ? BULK : 1 }, () => ({
      id: newInteractionId(),
      viewer,
      item: pick(items),
      type: retraction ? pick(['LIKE', 'SAVE']) : pick(TYPES),
      retraction,
    }));
  }

  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (stoppedAtMs === Infinity) {
      const batch = next();
      for (const interaction of batch) ledger.sent(interaction);
      const isAccepted = await untilAnswered(agent, batch);
      if (isAccepted && resends && random() < SHARES.again) await untilAnswered(agent, batch);
      await delay(random() * gapMs);
    }
    agent.destroy();
  }

  async function untilAnswered(agent: Agent, batch: readonly Sent[]): Promise<boolean> {
    while (performance.now() < stoppedAtMs + LAST_TRIES_MS) {
      const startedAtMs = performance.now();
      const opened = { startedAtMs };
      open.add(opened);
      const exchanged = (outcome: Exchange['outcome'], retryAfter: number | null): void => {
        exchanges.push({ startedAtMs, ms: performance.now() - startedAtMs, outcome, retryAfter });
      };
      let answer: Answer;
      try {
        answer = await send(agent, batch);
      } catch {
        open.delete(opened);
        exchanged('no answer', null);
        await delay(RETRY_MS);
        continue;
      }
      open.delete(opened);
      if (answer.code === null && answer.status === 200 && !answer.text.includes('"code"')) {
        exchanged('accepted', null);
        for (const { id } of batch) ledger.accepted(id);
        return true;
      }
      if (answer.code !== 'SERVICE_UNAVAILABLE' && answer.code !== 'SERVICE_BUSY') {
        faults.push(`${answer.status}: ${answer.text.slice(0, 300)}`);
        return false;
      }
      exchanged('refused', answer.retryAfter);
      for (const { id } of batch) ledger.refused(id);
      return false;
    }
    return false;
  }

  function send(agent: Agent, batch: readonly Sent[]): Promise<Answer> {
    const [first] = batch;
    if (first === undefined) throw new Error('nothing to send');
    const headers: Record<string, string> = { 'x-device-id': first.viewer };
    if (byKey) {
      const input = { itemId: first.item, type: first.type };
      return ask(
        url,
        { query: ONE, variables: { input } },
        { agent, headers: { ...headers, 'idempotency-key': first.id } },
      );
    }
    const metadata = large ? { metadata: METADATA } : {};
    const inputs = batch.map(({ id, item, type }) => ({ id, itemId: item, type, ...metadata }));
    if (batch.length > 1) return ask(url, { query: MANY, variables: { inputs } }, { agent, headers });
    return ask(url, { query: first.retraction ? RETRACT : ONE, variables: { input: inputs[0] } }, { agent, headers });
  }

  const running = Promise.all(Array.from({ length: clients }, () => client()));
  return {
    exchanges,
    open,
    faults,
    async stop() {
      stoppedAtMs = Math.min(stoppedAtMs, performance.now());
      await running;
    },
  };
}
