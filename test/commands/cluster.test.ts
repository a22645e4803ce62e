import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLoad } from '../end-to-end/keep-alive-load.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { testDirectory } from '../servers/test-run.ts';
import { waitFor } from '../servers/wait-for.ts';
import { runCommand } from './run-command.ts';
import { graphql, startCommand, type RunningCommand } from './start-command.ts';

const MAKE = 'mutation { upsertItems(items: [{ id: "mine", title: "Mine" }]) { userErrors { code } } }';
const ADMIN = { 'x-user-id': 'ann', 'x-user-role': 'admin' };
const ORIGIN = 'https://app.example';
/** Processes, from the sources, on a machine that is busy with other tests. */
const STARTS_WITHIN_MS = 120_000;
const TIMEOUT_MS = 400_000;

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
  expect((await runCommand('migrate', { DATABASE_URL: database.url })).exitCode).toBe(0);
});
afterAll(() => database.drop());

interface Two {
  readonly api: RunningCommand;
  /** Writes the file that a reload reads again. */
  configure(lines: Readonly<Record<string, string>>): void;
}

async function startTwo(env: Record<string, string> = {}): Promise<Two> {
  const envFile = join(testDirectory('cluster'), 'groundswell.env');
  const configure = (lines: Readonly<Record<string, string>>): void => {
    const all = Object.entries({ WEB_CONCURRENCY: '2', ...lines });
    writeFileSync(envFile, all.map((line) => line.join('=')).join('\n'));
  };
  configure({});
  const api = await startCommand('api', { DATABASE_URL: database.url, ENV_FILE: envFile, ...env });
  await allReady(api);
  return { api, configure };
}

const allReady = (api: RunningCommand) =>
  waitFor('every process', async () => (await readiness(api)).problem === null, { deadlineMs: STARTS_WITHIN_MS });

/** As the parent tells it. */
async function readiness(api: RunningCommand): Promise<{ status: number; problem: string | null }> {
  const response = await fetch(`${api.metricsUrl}/health/ready`);
  const { parts }: { parts: { name: string; problem: string | null }[] } = JSON.parse(await response.text());
  const part = parts.find(({ name }) => name === 'API processes');
  if (part === undefined) throw new Error('it says nothing of its processes');
  return { status: response.status, problem: part.problem };
}

function logOf(api: RunningCommand, message: string): Record<string, unknown>[] {
  return api
    .output()
    .split('\n')
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
    .filter(({ msg }) => typeof msg === 'string' && msg.startsWith(message));
}

/** Waits for a line that was not there before. */
async function logs(
  api: RunningCommand,
  message: string,
  act: () => void,
  count = 1,
): Promise<Record<string, unknown>[]> {
  const before = logOf(api, message).length;
  act();
  await waitFor(`the log of "${message}"`, () => logOf(api, message).length >= before + count, {
    deadlineMs: STARTS_WITHIN_MS,
  });
  return logOf(api, message).slice(before);
}

/** The sum that the metrics page shows for answers with status 200. */
async function answersCounted(api: RunningCommand): Promise<number> {
  const page = await (await fetch(`${api.metricsUrl}/metrics`)).text();
  // A line for each route.
  const lines = page.matchAll(/^groundswell_http_requests_total\{[^}]*status="200"[^}]*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Sends its body only when told to: until then it is in flight. */
function slowRequest(api: RunningCommand): { sending: ClientRequest; answer: Promise<unknown[]>; body: string } {
  const body = JSON.stringify({ query: '{ rankings { name } }' });
  const sending = request(`${api.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': body.length },
  });
  sending.on('error', () => undefined);
  sending.write(body.slice(0, 5));
  const answer = once(sending, 'response');
  answer.catch(() => undefined);
  return { sending, answer, body };
}

/** On a connection of its own, for whichever process has its turn. */
const fresh = (url: string, headers: Record<string, string> = {}) =>
  fetch(url, { headers: { ...headers, connection: 'close' } });

describe('processes on one port', { timeout: TIMEOUT_MS }, () => {
  let api: RunningCommand;
  let configure: Two['configure'];
  beforeAll(async () => {
    ({ api, configure } = await startTwo());
    await graphql(api.url, MAKE, ADMIN);
  }, TIMEOUT_MS);
  afterAll(() => api?.[Symbol.asyncDispose]());

  it('are all replaced by a reload, under load, without one failed request or lost count, the port ready all the while', async () => {
    const load = startLoad(api.url, { clients: 8, gapMs: 10 });
    const probes = startProbing(`${api.url}/health/ready`);
    try {
      for (const processes of [3, 2]) {
        const old = api.apiProcesses();
        const before = load.answered();
        await waitFor('some load', () => load.answered() > before + 100);
        // What is known of the old ones by now must not be counted again when they end.
        expect(await answersCounted(api)).toBeGreaterThan(0);
        configure({ WEB_CONCURRENCY: String(processes), CORS_ORIGINS: ORIGIN });
        await logs(api, 'reloaded', () => api.signal('SIGHUP'));
        await allReady(api);
        expect(api.apiProcesses()).toHaveLength(processes);
        expect(api.apiProcesses().filter((pid) => old.includes(pid))).toEqual([]);
      }
    } finally {
      await Promise.all([load.stop(), probes.stop()]);
    }
    const { answered, failures } = await load.stop();
    const statuses = await probes.stop();
    expect(failures).toEqual([]);
    expect(new Set(statuses)).toEqual(new Set([200]));
    // One more: the item was made.
    await waitFor('the count', async () => (await answersCounted(api)) === answered + statuses.length + 1);
  });

  it('have the configuration of the reload', async () => {
    for (let turn = 0; turn < 4; turn += 1) {
      const answer = await fresh(`${api.url}/graphql?query={__typename}`, {
        origin: ORIGIN,
        'apollo-require-preflight': '1',
      });
      expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    }
  });

  it('go on when the new configuration is wrong, and the log says what is', async () => {
    const old = api.apiProcesses();
    configure({ CACHE_TTL_MS: 'soon' });
    const [refusal] = await logs(api, 'not reloading', () => api.signal('SIGHUP'));
    expect(refusal).toMatchObject({ faults: [expect.stringMatching(/^CACHE_TTL_MS: /)] });
    // Only the process itself finds this one.
    configure({ PERSISTED_QUERIES: 'enforce', PERSISTED_QUERY_MANIFESTS: '/nowhere/manifest.json' });
    await logs(api, 'reload stopped', () => api.signal('SIGHUP'));
    configure({});
    expect(api.apiProcesses()).toEqual(old);
    expect((await fresh(`${api.url}/health/ready`)).status).toBe(200);
  });

  it('are replaced when one is killed, the others answering, and the whole says what is missing', async () => {
    const [victim, other] = twoOf(api.apiProcesses());
    const killedAtMs = Date.now();
    process.kill(victim, 'SIGKILL');
    await waitFor('its loss to show', async () => (await readiness(api)).problem === '1 of 2 ready', { everyMs: 20 });
    expect(await readiness(api)).toEqual({ status: 200, problem: '1 of 2 ready' });
    for (let turn = 0; turn < 10; turn += 1) {
      expect((await fresh(`${api.url}/health/ready`)).status).toBe(200);
      await graphql(api.url, '{ rankings { name } }', { connection: 'close' });
    }
    await allReady(api);
    expect(api.apiProcesses()).toContain(other);
    expect(api.apiProcesses()).not.toContain(victim);
    const page = await (await fetch(`${api.metricsUrl}/metrics`)).text();
    expect(page).toMatch(/^groundswell_api_process_exits_total 1$/m);
    expect(page).toMatch(/^groundswell_api_processes\{state="wanted"\} 2$/m);
    // The group's own, which a process that was replaced does not change.
    const [, started] = /^process_start_time_seconds (\d+)$/m.exec(page) ?? [];
    expect(Number(started)).toBeLessThan(killedAtMs / 1_000 - 1);
  });

  it('that end at every start are started later each time, and with none left neither probe says yes', async () => {
    configure({ CACHE_TTL_MS: 'soon' });
    const attempts = await logs(
      api,
      'an API process ended',
      () => {
        for (const pid of api.apiProcesses()) process.kill(pid, 'SIGKILL');
      },
      8,
    );
    // Two processes, each at its own pace; one of them had been started anew a moment ago.
    const delays = attempts.map(({ delayMs }) => Number(delayMs));
    for (const delayMs of [400, 800, 1_600]) expect(delays).toContain(delayMs);
    expect(Math.max(...delays)).toBeLessThanOrEqual(10_000);
    expect(await readiness(api)).toEqual({ status: 503, problem: 'none of 2 ready' });
    expect((await fetch(`${api.metricsUrl}/health/live`)).status).toBe(503);
    await expect(fresh(api.url)).rejects.toThrow('fetch failed');
    configure({});
    await allReady(api);
    expect((await fetch(`${api.metricsUrl}/health/live`)).status).toBe(200);
    expect((await fresh(`${api.url}/health/ready`)).status).toBe(200);
  });

  it('that hang neither hold up the metrics nor last', async () => {
    const [victim] = twoOf(api.apiProcesses());
    const before = await answersCounted(api);
    expect(before).toBeGreaterThan(0);
    await logs(api, 'an API process hangs', () => process.kill(victim, 'SIGSTOP'));
    expect(await answersCounted(api)).toBeGreaterThanOrEqual(before);
    await allReady(api);
    expect(api.apiProcesses()).not.toContain(victim);
  });

  it('answer what they have at SIGTERM, and end with 0', async () => {
    const requests = Array.from({ length: 4 }, () => slowRequest(api));
    await waitFor('them all to be connected', () =>
      requests.every(({ sending }) => sending.socket?.connecting === false),
    );
    // Connections are handed out in turn: when later ones are answered, these are where they belong.
    for (let turn = 0; turn < 8; turn += 1) await fresh(`${api.url}/health/live`);
    api.signal('SIGTERM');
    await waitFor('the drain', async () => (await readiness(api)).status === 503);
    for (const { sending, body } of requests) sending.end(body.slice(5));
    for (const { answer } of requests) {
      const [response] = (await answer) as [IncomingMessage];
      expect(response.statusCode).toBe(200);
      expect(JSON.parse(await text(response))).toMatchObject({ data: { rankings: [{}, {}, {}, {}] } });
    }
    expect(await api.ended()).toBe(0);
    expect(api.apiProcesses()).toEqual([]);
  });
});

it('a second signal ends what still drains, at once, the processes too', { timeout: TIMEOUT_MS }, async () => {
  const { api } = await startTwo({ SHUTDOWN_TIMEOUT_MS: '600000' });
  await using _ = api;
  const pids = api.apiProcesses();
  const { sending } = slowRequest(api);
  await waitFor('it to be connected', () => sending.socket?.connecting === false);
  for (let turn = 0; turn < 2; turn += 1) await fresh(`${api.url}/health/live`);
  // As Ctrl-C does: the whole group.
  const interrupt = () => {
    for (const pid of api.apiProcesses()) process.kill(pid, 'SIGINT');
    api.signal('SIGINT');
  };
  await logs(api, 'draining', interrupt);
  await waitFor(
    'the end',
    () => {
      if (api.exitCode() === null) interrupt();
      return api.exitCode() !== null;
    },
    { deadlineMs: 10_000, everyMs: 250 },
  );
  expect(api.exitCode()).toBe(1);
  await waitFor('the processes to end', () => pids.every((pid) => !isRunning(pid)), { deadlineMs: 10_000 });
});

it('Ctrl-C, which reaches every process, drains and ends with 0', { timeout: TIMEOUT_MS }, async () => {
  const { api } = await startTwo();
  await using _ = api;
  for (const pid of api.apiProcesses()) process.kill(pid, 'SIGINT');
  api.signal('SIGINT');
  expect(await api.ended()).toBe(0);
});

it('SIGHUP to a single process is ignored, and says so', { timeout: TIMEOUT_MS }, async () => {
  await using api = await startCommand('api', { DATABASE_URL: database.url });
  await logs(api, 'ignored: this process cannot be replaced', () => api.signal('SIGHUP'));
  expect((await fetch(`${api.url}/health/ready`)).status).toBe(200);
  api.signal('SIGTERM');
  expect(await api.ended()).toBe(0);
});

/** Asks again and again; what each was answered with, or why it was not. */
function startProbing(url: string): { stop(): Promise<readonly (number | string)[]> } {
  const answers: (number | string)[] = [];
  let isOver = false;
  const probing = (async () => {
    for (; !isOver; await delay(20)) answers.push(await fresh(url).then(({ status }) => status, String));
  })();
  return {
    async stop() {
      isOver = true;
      await probing;
      return answers;
    },
  };
}

/** Never a 0 for one that is not there: `kill` takes it for the whole group. */
function twoOf([one, two]: readonly number[]): [number, number] {
  if (one === undefined || two === undefined) throw new Error('there are no two processes');
  return [one, two];
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
