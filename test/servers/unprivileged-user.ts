import { execFileSync } from 'node:child_process';
import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export type User = { uid: number; gid: number };

/** Who runs the servers that refuse root (Postgres, PgBouncer). `undefined`: not root, so the present user will do. */
export function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = ['-u', '-g'].map((flag) =>
        Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })),
      );
      if (uid !== undefined && gid !== undefined) return { uid, gid };
    } catch {
      // No such user: try the next.
    }
  }
  throw new Error('root needs a user `postgres` or `nobody` to run Postgres and PgBouncer, and there is neither');
}

export function give(path: string, user: User | undefined): void {
  if (user) chownSync(path, user.uid, user.gid);
}

/** A folder and all that is in it. */
export function giveAll(folder: string, user: User | undefined): void {
  give(folder, user);
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) give(join(folder, path), user);
}
