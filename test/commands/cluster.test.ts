import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startLoad } from '../end-to-end/keep-alive-load.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { testDirectory } from '../servers/test-run.ts';
import { waitFor } from '../servers/wait-for.ts';
import { runCommand } from './run-command.ts';
import { graphql, startCommand, type RunningCommand } from './start-command.ts';

const MAKE = 'mutation { upsertItems(items: [{ id: "mine", title: "Mine" }]) { userErrors { code } } }';
const ADMIN = { 'x-user-id': 'ann', 'x-user-role': 'admin' };

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
  expect((await runCommand('migrate', { DATABASE_URL: database.url })).exitCode).toBe(0);
});
afterAll(() => database.drop());

/** Two processes; `configure` writes the file that a reload reads again. */
async function startTwo(env: Record<string, string> = {}) {
  const envFile = join(testDirectory('cluster'), 'groundswell.env');
  const configure = (lines: Readonly<Record<string, string>>): void =>
    writeFileSync(
      envFile,
      Object.entries({ WEB_CONCURRENCY: '2', ...lines })
        .map((line) => line.join('='))
        .join('\n'),
    );
  configure({});
  const api = await startCommand('api', { DATABASE_URL: database.url, ENV_FILE: envFile, ...env });
  onTestFinished(() => api[Symbol.asyncDispose]());
  await waitFor('both processes', async () => (await readiness(api)).problem === null);
  await graphql(api.url, MAKE, ADMIN);
  return { api, configure };
}

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

async function reload(api: RunningCommand): Promise<void> {
  const before = logOf(api, 'reloaded').length;
  api.signal('SIGHUP');
  await waitFor('the reload', () => logOf(api, 'reloaded').length > before, { deadlineMs: 90_000 });
}

/** The sum that the metrics page shows for answers with status 200. */
async function answersCounted(api: RunningCommand): Promise<number> {
  const page = await (await fetch(`${api.metricsUrl}/metrics`)).text();
  return Number(/^groundswell_http_requests_total\{status="200"\} (\d+)$/m.exec(page)?.[1]);
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

const fresh = (url: string) => fetch(url, { headers: { connection: 'close' } });

describe('a reload', () => {
  it('replaces every process under load without one failed request, and no count is lost', async () => {
    const { api } = await startTwo();
    const load = startLoad(api.url, { clients: 8 });
    for (let reloads = 0; reloads < 2; reloads += 1) {
      const old = api.apiProcesses();
      await waitFor('some load', () => load.answered() > 100 * (reloads + 1));
      await reload(api);
      expect(api.apiProcesses()).toHaveLength(2);
      expect(api.apiProcesses().filter((pid) => old.includes(pid))).toEqual([]);
    }
    const { answered, failures } = await load.stop();
    expect(failures).toEqual([]);
    // One more: the item was made.
    await waitFor('the count', async () => (await answersCounted(api)) === answered + 1);
  });

  it('the port is ready all the while, and new processes have the configuration of now', async () => {
    const { api, configure } = await startTwo();
    const origin = 'https://app.example';
    const allowed = async () =>
      (
        await fetch(`${api.url}/graphql?query={__typename}`, {
          headers: { origin, 'apollo-require-preflight': '1', connection: 'close' },
        })
      ).headers.get('access-control-allow-origin');
    expect(await allowed()).toBeNull();
    configure({ CORS_ORIGINS: origin, WEB_CONCURRENCY: '3' });
    let isDone = false;
    const reloading = reload(api).finally(() => (isDone = true));
    const statuses = new Set<number>();
    while (!isDone) statuses.add((await fresh(`${api.url}/health/ready`)).status);
    await reloading;
    expect([...statuses]).toEqual([200]);
    for (let turn = 0; turn < 6; turn += 1) expect(await allowed()).toBe(origin);
    await waitFor('a third process', async () => (await readiness(api)).problem === null);
    expect(api.apiProcesses()).toHaveLength(3);
  });

  it('to a wrong configuration changes nothing, and says what is wrong', async () => {
    const { api, configure } = await startTwo();
    const old = api.apiProcesses();
    configure({ CACHE_TTL_MS: 'soon' });
    api.signal('SIGHUP');
    await waitFor('the refusal', () => logOf(api, 'not reloading').length === 1);
    expect(logOf(api, 'not reloading')[0]).toMatchObject({ faults: [expect.stringMatching(/^CACHE_TTL_MS: /)] });
    // Only the process itself finds this one.
    configure({ PERSISTED_QUERIES: 'enforce', PERSISTED_QUERY_MANIFESTS: '/nowhere/manifest.json' });
    api.signal('SIGHUP');
    await waitFor('the end of the reload', () => logOf(api, 'reload stopped').length === 1);
    expect(api.apiProcesses()).toEqual(old);
    expect((await fresh(`${api.url}/health/ready`)).status).toBe(200);
  });
});

describe('a process that ends', () => {
  it('is replaced while the others answer, and the whole says what is missing', async () => {
    const { api } = await startTwo();
    const [victim = 0, other = 0] = api.apiProcesses();
    process.kill(victim, 'SIGKILL');
    await waitFor('its loss to show', async () => (await readiness(api)).problem === '1 of 2 ready', { everyMs: 20 });
    expect(await readiness(api)).toEqual({ status: 200, problem: '1 of 2 ready' });
    for (let turn = 0; turn < 10; turn += 1) {
      expect((await fresh(`${api.url}/health/ready`)).status).toBe(200);
      await graphql(api.url, '{ rankings { name } }', { connection: 'close' });
    }
    await waitFor('another in its place', async () => (await readiness(api)).problem === null);
    expect(api.apiProcesses()).toContain(other);
    expect(api.apiProcesses()).not.toContain(victim);
    const page = await (await fetch(`${api.metricsUrl}/metrics`)).text();
    expect(page).toMatch(/^groundswell_api_process_exits_total 1$/m);
    expect(page).toMatch(/^groundswell_api_processes\{state="wanted"\} 2$/m);
  });

  it('at every start is started later each time, and with none left neither probe says yes', async () => {
    const { api, configure } = await startTwo();
    configure({ CACHE_TTL_MS: 'soon' });
    for (const pid of api.apiProcesses()) process.kill(pid, 'SIGKILL');
    const attempts = () => logOf(api, 'an API process ended');
    await waitFor('some attempts', () => attempts().length >= 6);
    const delays = attempts().map(({ delayMs }) => Number(delayMs));
    // Two processes, each at its own pace.
    expect(delays.slice(0, 6).sort((a, b) => a - b)).toEqual([200, 200, 400, 400, 800, 800]);
    expect(await readiness(api)).toEqual({ status: 503, problem: 'none of 2 ready' });
    expect((await fetch(`${api.metricsUrl}/health/live`)).status).toBe(503);
    await expect(fresh(api.url)).rejects.toThrow('fetch failed');
    configure({});
    await waitFor('both to be back', async () => (await readiness(api)).problem === null);
    expect((await fetch(`${api.metricsUrl}/health/live`)).status).toBe(200);
    expect((await fresh(`${api.url}/health/ready`)).status).toBe(200);
  });

  it('is made to end when it hangs', async () => {
    const { api } = await startTwo();
    const [victim = 0] = api.apiProcesses();
    await waitFor('the count', async () => (await answersCounted(api)) === 1);
    process.kill(victim, 'SIGSTOP');
    expect(await answersCounted(api)).toBe(1);
    await waitFor('the end of the one that hangs', () => logOf(api, 'an API process hangs').length === 1, {
      deadlineMs: 60_000,
    });
    await waitFor('another in its place', async () => (await readiness(api)).problem === null);
    expect(api.apiProcesses()).not.toContain(victim);
  });
});

describe('signals', () => {
  it('SIGTERM lets every process answer what it has, and ends with 0', async () => {
    const { api } = await startTwo();
    const requests = Array.from({ length: 4 }, () => slowRequest(api));
    await waitFor('them all to be connected', () =>
      requests.every(({ sending }) => sending.socket?.connecting === false),
    );
    // Taken by a process and not only by the system: each has read its head when it has answered another after it.
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

  it('a second one ends what still drains, at once', async () => {
    const { api } = await startTwo({ SHUTDOWN_TIMEOUT_MS: '600000' });
    const pids = api.apiProcesses();
    const { sending } = slowRequest(api);
    await waitFor('it to be connected', () => sending.socket?.connecting === false);
    await fresh(`${api.url}/health/live`);
    await fresh(`${api.url}/health/live`);
    api.signal('SIGTERM');
    await waitFor('the drain', () => logOf(api, 'draining').length > 0);
    await waitFor(
      'the end',
      () => {
        api.signal('SIGTERM');
        return api.exitCode() !== null;
      },
      { deadlineMs: 5_000, everyMs: 250 },
    );
    expect(api.exitCode()).toBe(1);
    await waitFor('the processes to end', () => pids.every((pid) => !isRunning(pid)), { deadlineMs: 5_000 });
  });

  it('SIGHUP to a single process is ignored, and says so', async () => {
    await using api = await startCommand('api', { DATABASE_URL: database.url });
    api.signal('SIGHUP');
    await waitFor('the line', () => logOf(api, 'ignored: this process cannot be replaced').length === 1);
    expect((await fetch(`${api.url}/health/ready`)).status).toBe(200);
    api.signal('SIGTERM');
    expect(await api.ended()).toBe(0);
  });
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
