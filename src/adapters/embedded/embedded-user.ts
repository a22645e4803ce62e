import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './embedded-error.ts';

const run = promisify(execFile);
const NAME = 'postgres';
// Not the caller's PATH: a plain user's has no sbin, and this runs as root.
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** Who Postgres runs as when we are root, which it refuses. */
export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

/** Null: as ourselves. As root, the system's `postgres` user, made when there is none. */
export async function postgresUser(): Promise<PostgresUser | null> {
  if (process.getuid?.() !== 0) return null;
  const found = await lookUp();
  if (found !== null) return found;
  const made =
    (await succeeds('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', NAME])) ||
    (await succeeds('adduser', ['-S', '-H', '-D', NAME]));
  const user = await lookUp();
  if (user !== null) return user;
  throw new EmbeddedPostgresError(
    'EMBEDDED_POSTGRES_FAILED',
    `Postgres refuses to run as root, and a user "${NAME}" could not be ${made ? 'found' : 'made'}: ` +
      'start as another user, or set DATABASE_URL',
  );
}

async function lookUp(): Promise<PostgresUser | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', NAME], { env }), run('id', ['-g', NAME], { env })]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(command, args, { env });
    return true;
  } catch {
    return false;
  }
}
