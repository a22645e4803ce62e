import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';

export interface Load {
  /** So far. */
  answered(): number;
  /** Lets what is under way finish. */
  stop(): Promise<{ readonly answered: number; readonly failures: readonly string[] }>;
}

const READ = `?${new URLSearchParams({ query: '{ rankings { name } }' }).toString()}`;
const WRITE = JSON.stringify({
  query: 'mutation { recordInteraction(input: { itemId: "mine", type: VIEW }) { userErrors { code } } }',
});

/**
 * Clients that each keep one connection and send one request after the other, reads and writes in turn, each write with
 * an Idempotency-Key. Nothing is tried again: whatever is not a plain answer is a failure.
 */
export function startLoad(url: string, { clients, gapMs = 0 }: { clients: number; gapMs?: number }): Load {
  const failures: string[] = [];
  let answered = 0;
  let stopped = false;

  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = 0; !stopped; turn += 1) {
      try {
        await send(agent, `${url}/graphql`, turn % 2 === 0 ? null : WRITE);
        answered += 1;
      } catch (error) {
        failures.push(String(error));
      }
      if (gapMs > 0) await new Promise((resolve) => setTimeout(resolve, gapMs * Math.random()));
    }
    agent.destroy();
  }

  const running = Array.from({ length: clients }, () => client());
  return {
    answered: () => answered,
    async stop() {
      stopped = true;
      await Promise.all(running);
      return { answered, failures };
    },
  };
}

/** `body`: null for the read. */
function send(agent: Agent, url: string, body: string | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> =
      body === null
        ? { 'apollo-require-preflight': 'true' }
        : {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            'idempotency-key': newInteractionId(),
          };
    const sending = request(
      body === null ? `${url}${READ}` : url,
      {
        method: body === null ? 'GET' : 'POST',
        agent,
        headers: { ...headers, 'x-device-id': 'load' },
        timeout: 30_000,
      },
      (response) => {
        text(response).then((answer) => {
          if (response.statusCode === 200 && !answer.includes('"errors"') && !answer.includes('"code"')) resolve();
          else reject(new Error(`${response.statusCode}: ${answer}`));
        }, reject);
      },
    );
    sending.on('error', reject);
    sending.on('timeout', () => sending.destroy(new Error('no answer')));
    sending.end(body ?? undefined);
  });
}
