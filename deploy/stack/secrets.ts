import { makeSecrets } from '../make-secrets.mjs';
import { testDirectory } from '../../test/servers/test-run.ts';

export interface Secrets {
  /** Holds the files that servers read: userlist.txt, definitions.json, users.acl. */
  readonly directory: string;
  readonly POSTGRES_PASSWORD: string;
  readonly DATABASE_PASSWORD: string;
  readonly API_DATABASE_PASSWORD: string;
  readonly WORKER_DATABASE_PASSWORD: string;
  readonly REPLICATION_PASSWORD: string;
  readonly MONITOR_PASSWORD: string;
  readonly RABBITMQ_PASSWORD: string;
  readonly API_RABBITMQ_PASSWORD: string;
  readonly WORKER_RABBITMQ_PASSWORD: string;
  readonly REDIS_PASSWORD: string;
  readonly API_REDIS_PASSWORD: string;
  readonly WORKER_REDIS_PASSWORD: string;
  readonly AUTH_JWT_SECRET: string;
}

/** A user of every server: for commands, and for each part with no more rights than it needs. */
export type User = 'groundswell' | 'api' | 'worker';

export function passwordOf(secrets: Secrets, server: 'DATABASE' | 'RABBITMQ' | 'REDIS', user: User): string {
  const passwords: Record<User, string> = {
    groundswell: secrets[`${server}_PASSWORD`],
    api: secrets[`API_${server}_PASSWORD`],
    worker: secrets[`WORKER_${server}_PASSWORD`],
  };
  return passwords[user];
}

/** Fresh ones, made as for compose. */
export function newSecrets(): Secrets {
  const folder = testDirectory('secrets');
  const values = makeSecrets(folder);
  const secret = (name: string): string => {
    const value = values[name];
    if (!value) throw new Error(`make-secrets.mjs made no ${name}`);
    return value;
  };
  return {
    directory: `${folder}/secrets`,
    POSTGRES_PASSWORD: secret('POSTGRES_PASSWORD'),
    DATABASE_PASSWORD: secret('DATABASE_PASSWORD'),
    API_DATABASE_PASSWORD: secret('API_DATABASE_PASSWORD'),
    WORKER_DATABASE_PASSWORD: secret('WORKER_DATABASE_PASSWORD'),
    REPLICATION_PASSWORD: secret('REPLICATION_PASSWORD'),
    MONITOR_PASSWORD: secret('MONITOR_PASSWORD'),
    RABBITMQ_PASSWORD: secret('RABBITMQ_PASSWORD'),
    API_RABBITMQ_PASSWORD: secret('API_RABBITMQ_PASSWORD'),
    WORKER_RABBITMQ_PASSWORD: secret('WORKER_RABBITMQ_PASSWORD'),
    REDIS_PASSWORD: secret('REDIS_PASSWORD'),
    API_REDIS_PASSWORD: secret('API_REDIS_PASSWORD'),
    WORKER_REDIS_PASSWORD: secret('WORKER_REDIS_PASSWORD'),
    AUTH_JWT_SECRET: secret('AUTH_JWT_SECRET'),
  };
}
