import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { recountRollups } from '../../bench/load/recount-rollups.ts';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { query } from '../servers/query.ts';

export interface LedgerLoad {
  /** Answered by ACCEPTED. */
  readonly accepted: ReadonlySet<string>;
  /** Sent and not answered so: it may be recorded, once at most. */
  readonly unknown: ReadonlySet<string>;
  /** What they were answered. */
  readonly failures: readonly string[];
  /** Lets what is under way finish. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface LedgerLoadOptions {
  readonly clients: number;
  readonly gapMs: number;
  readonly items: readonly string[];
}

const RECORD = `mutation ($itemId: ID!, $type: InteractionType!) {
  recordInteraction(input: { itemId: $itemId, type: $type }) { interaction { status } userErrors { code } }
}`;
const TYPES = ['VIEW', 'SHARE', 'LIKE'];

/** Clients that each send one interaction after the other, with an Idempotency-Key and without trying again, and keep a ledger. */
export function startLedgerLoad(url: string, { clients, gapMs, items }: LedgerLoadOptions): LedgerLoad {
  const accepted = new Set<string>();
  const unknown = new Set<string>();
  const failures: string[] = [];
  let stopped = false;

  async function client(number: number): Promise<void> {
    for (let turn = 0; !stopped; turn += 1) {
      const id = newInteractionId();
      unknown.add(id);
      try {
        const answer = await send(`${url}/graphql`, id, {
          itemId: items[(turn * clients + number) % items.length],
          type: TYPES[turn % TYPES.length],
          user: `user-${number}-${turn % 50}`,
        });
        if (answer.includes('"ACCEPTED"')) {
          unknown.delete(id);
          accepted.add(id);
        } else failures.push(answer);
      } catch (error) {
        failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, gapMs * Math.random() * 2));
    }
  }

  const running = Array.from({ length: clients }, (_, number) => client(number));
  async function stop(): Promise<void> {
    stopped = true;
    await Promise.all(running);
  }
  return { accepted, unknown, failures, stop, [Symbol.asyncDispose]: stop };
}

/** Each on a connection of its own: one that is kept may be closed by the server just as it is used again. */
function send(
  url: string,
  id: string,
  { user, ...variables }: { user: string; itemId: string | undefined; type: string | undefined },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': id, 'x-device-id': user };
    const sending = request(url, { method: 'POST', agent: false, headers, timeout: 30_000 }, (response) => {
      text(response).then((answer) => resolve(`${response.statusCode} ${answer}`), reject);
    });
    sending.on('error', reject);
    sending.on('timeout', () => sending.destroy(new Error('no answer')));
    sending.end(JSON.stringify({ query: RECORD, variables }));
  });
}

/** How the database differs from the ledger and its rollups from its rows; empty when nothing is lost, doubled or made up. */
export async function differences(databaseUrl: string, { accepted, unknown }: LedgerLoad): Promise<string[]> {
  const rows = await query(databaseUrl, 'SELECT id::text FROM interactions');
  const recorded = new Set(rows.map(({ id }) => String(id)));
  return [
    ...(recorded.size === rows.length ? [] : [`${rows.length - recorded.size} doubled`]),
    ...[...accepted].filter((id) => !recorded.has(id)).map((id) => `lost: ${id}`),
    ...[...recorded].filter((id) => !accepted.has(id) && !unknown.has(id)).map((id) => `never sent: ${id}`),
    ...(await recountRollups(databaseUrl)),
  ];
}

/** All of the ledger that must be there is, and nothing waits any more. */
export async function isRecorded(databaseUrl: string, { accepted }: LedgerLoad): Promise<boolean> {
  const [row] = await query(
    databaseUrl,
    'SELECT (SELECT count(*) FROM interactions)::int AS recorded, (SELECT count(*) FROM outbox)::int AS waiting',
  );
  return Number(row?.['recorded']) >= accepted.size && row?.['waiting'] === 0;
}
