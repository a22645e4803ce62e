import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { makeSecrets } from './make-secrets.mjs';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'groundswell-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}
const read = (folder: string, file: string): string => readFileSync(join(folder, file), 'utf8');
const mode = (folder: string, file: string): number => statSync(join(folder, file)).mode & 0o777;

it('each secret is long, random and another', () => {
  const values = makeSecrets(newFolder());
  const secrets = Object.entries(values).filter(([name]) => /PASSWORD|SECRET/.test(name));
  expect(secrets.length).toBe(14);
  for (const [, value] of secrets) expect(value).toMatch(/^[0-9a-f]{64}$/);
  expect(new Set(secrets.map(([, value]) => value)).size).toBe(secrets.length);
});

it('a second run changes nothing that is set, and fills in what is not', () => {
  const folder = newFolder();
  const first = makeSecrets(folder);
  writeFileSync(join(folder, '.env'), read(folder, '.env').replace(/^REDIS_PASSWORD=.*$/m, 'REDIS_PASSWORD='));
  const second = makeSecrets(folder);
  expect(second).toEqual({ ...first, REDIS_PASSWORD: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(second['REDIS_PASSWORD']).not.toBe(first['REDIS_PASSWORD']);
  expect(read(folder, '.env')).toContain(`REDIS_PASSWORD=${second['REDIS_PASSWORD']}\n`);
});

it('with an identity provider there is no shared secret', () => {
  const folder = newFolder();
  writeFileSync(join(folder, '.env'), 'AUTH_JWKS_URL=https://id.example.com/keys\nAUTH_JWT_SECRET=\n');
  expect(makeSecrets(folder)).toMatchObject({ AUTH_JWT_SECRET: '', REDIS_PASSWORD: expect.stringMatching(/./) });
});

it('nobody else on the machine can read them, and containers can', () => {
  const folder = newFolder();
  makeSecrets(folder);
  expect([mode(folder, '.env'), mode(folder, 'secrets')]).toEqual([0o600, 0o700]);
  for (const file of ['userlist.txt', 'definitions.json', 'users.acl'])
    expect(mode(folder, `secrets/${file}`)).toBe(0o644);
});

it('servers get hashes where they can check against one', () => {
  const folder = newFolder();
  const values = makeSecrets(folder);
  const { RABBITMQ_PASSWORD: password = '', REDIS_PASSWORD: redis = '', DATABASE_PASSWORD: database = '' } = values;
  const definitions = read(folder, 'secrets/definitions.json');
  expect(definitions).not.toContain(password);
  const hash = Buffer.from(JSON.parse(definitions).users[0].password_hash, 'base64');
  const expected = createHash('sha256').update(hash.subarray(0, 4)).update(password).digest();
  expect(hash.subarray(4)).toEqual(expected);
  const acl = read(folder, 'secrets/users.acl');
  expect(acl).not.toContain(redis);
  expect(acl).toContain(`user groundswell on #${createHash('sha256').update(redis).digest('hex')} `);
  // PgBouncer signs in with it, so it has to know it.
  expect(read(folder, 'secrets/userlist.txt')).toContain(`"groundswell" "${database}"`);
  for (const file of ['definitions.json', 'users.acl', 'userlist.txt'])
    expect(read(folder, `secrets/${file}`)).not.toContain('{{');
});
