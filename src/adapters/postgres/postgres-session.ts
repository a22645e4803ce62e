import pg from 'pg';

const CONNECT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 10_000;

/** One connection for looking around. */
export interface CheckSession extends AsyncDisposable {
  readonly client: pg.Client;
  readonly behindPgBouncer: boolean;
}

export async function connectForChecks(url: string): Promise<CheckSession> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    application_name: 'groundswell check',
  });
  client.on('error', () => undefined);
  const close = (): Promise<void> => client.end().catch(() => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return {
      client,
      // PgBouncer hands out cancel keys of its own, so the process it names is not the one that answers.
      behindPgBouncer: rows[0]?.pid !== Reflect.get(client, 'processID'),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
