import { request, type Agent } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  /** Seconds; null without the header. */
  readonly retryAfter: number | null;
  readonly data: Readonly<Record<string, unknown>> | null;
  /** Of the first error. */
  readonly code: string | null;
  readonly text: string;
}

const TIMEOUT_MS = 30_000;

interface Asked {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

interface How {
  readonly agent?: Agent;
  readonly headers: Readonly<Record<string, string>>;
}

/** One GraphQL request as a client sends it. Rejects when no answer comes. */
export function ask(url: string, body: Asked, { agent, headers }: How): Promise<Answer> {
  const payload = JSON.stringify(body);
  const sized = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) };
  return send(`${url}/graphql`, { method: 'POST', headers: { ...sized, ...headers }, agent }, payload);
}

/** As `ask`, for a query: what proxies may keep, and send again when a server has died on it. */
export function get(url: string, { query, variables }: Asked, { agent, headers }: How): Promise<Answer> {
  const search = new URLSearchParams({ query, variables: JSON.stringify(variables) }).toString();
  const options = { method: 'GET', headers: { 'apollo-require-preflight': 'true', ...headers }, agent };
  return send(`${url}/graphql?${search}`, options, undefined);
}

function send(
  url: string,
  { agent, ...options }: { method: string; headers: Record<string, string>; agent: Agent | undefined },
  payload: string | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sending = request(
      url,
      { ...options, timeout: TIMEOUT_MS, ...(agent === undefined ? {} : { agent }) },
      (response) => {
        text(response).then((answer) => {
          const retryAfter = response.headers['retry-after'];
          resolve({
            status: response.statusCode ?? 0,
            retryAfter: retryAfter === undefined ? null : Number(retryAfter),
            ...parse(answer),
          });
        }, reject);
      },
    );
    sending.on('error', reject);
    sending.on('timeout', () => sending.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    sending.end(payload);
  });
}

function parse(answer: string): Pick<Answer, 'data' | 'code' | 'text'> {
  const body: unknown = JSON.parse(answer);
  return {
    data: recordAt(body, 'data'),
    code: codeOf(Array.isArray(at(body, 'errors')) ? at(at(body, 'errors'), '0') : undefined),
    text: answer,
  };
}

function codeOf(error: unknown): string | null {
  if (error === undefined) return null;
  const code = at(at(error, 'extensions'), 'code');
  return typeof code === 'string' ? code : 'without a code';
}

/** What a client gets has the shape that the server gave it. */
export function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function recordAt(value: unknown, key: string): Readonly<Record<string, unknown>> | null {
  const found = at(value, key);
  return typeof found === 'object' && found !== null ? { ...found } : null;
}
