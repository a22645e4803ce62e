// Makes deploy/.env from .env.example, with a random value for each secret that is empty, and from it the files in deploy/secrets/
// that servers read. What is set stays: run it again after a change. No packages needed, so any Node will do:
//   docker run --rm -u "$(id -u)" -v "$PWD:/app" -w /app node:22-slim node deploy/make-secrets.mjs
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SECRETS = [
  'POSTGRES_PASSWORD',
  'DATABASE_PASSWORD',
  'API_DATABASE_PASSWORD',
  'WORKER_DATABASE_PASSWORD',
  'REPLICATION_PASSWORD',
  'MONITOR_PASSWORD',
  'RABBITMQ_PASSWORD',
  'API_RABBITMQ_PASSWORD',
  'WORKER_RABBITMQ_PASSWORD',
  'REDIS_PASSWORD',
  'API_REDIS_PASSWORD',
  'WORKER_REDIS_PASSWORD',
  'GRAFANA_PASSWORD',
];
const TEMPLATES = ['pgbouncer/userlist.txt.template', 'rabbitmq/definitions.json.template', 'redis/users.acl.template'];
const deploy = import.meta.dirname;

/** Writes `.env` and `secrets/` into `folder`, and answers what is in `.env`. */
export function makeSecrets(folder = deploy) {
  const envFile = join(folder, '.env');
  const text = readFileSync(existsSync(envFile) ? envFile : join(deploy, '.env.example'), 'utf8');
  const values = parse(text);
  const wanted = values.AUTH_JWKS_URL ? SECRETS : [...SECRETS, 'AUTH_JWT_SECRET'];
  // Hexadecimal, so that nothing has to be escaped in a URL.
  const made = Object.fromEntries(wanted.filter((name) => !values[name]).map((name) => [name, newSecret()]));
  const filled = wanted.reduce((lines, name) => (made[name] ? withValue(lines, name, made[name]) : lines), text);
  writeFileSync(envFile, filled, { mode: 0o600 });
  chmodSync(envFile, 0o600);

  const all = { ...values, ...made };
  const secrets = join(folder, 'secrets');
  // Nobody else gets through the folder. The files in it are mounted one by one, into containers whose users have other
  // numbers than ours, so they are readable themselves.
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  chmodSync(secrets, 0o700);
  for (const template of TEMPLATES) {
    const file = join(secrets, basename(template, '.template'));
    writeFileSync(file, render(readFileSync(join(deploy, template), 'utf8'), all), { mode: 0o644 });
    chmodSync(file, 0o644);
  }
  return all;
}

function newSecret() {
  return randomBytes(32).toString('hex');
}

function parse(text) {
  return Object.fromEntries([...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value.trim()]));
}

function withValue(text, name, value) {
  const line = new RegExp(`^${name}=.*$`, 'm');
  return line.test(text) ? text.replace(line, `${name}=${value}`) : `${text.trimEnd()}\n${name}=${value}\n`;
}

/** `{{NAME}}`, or a hash of it as the server keeps it. */
function render(template, values) {
  const forms = { sha256, rabbitmq: rabbitmqHash, undefined: (value) => value };
  return template.replaceAll(/\{\{(?:(\w+) )?(\w+)\}\}/g, (_, form, name) => {
    if (!values[name] || !forms[form]) throw new Error(`template: no value for ${name}, or no form ${form}`);
    return forms[form](values[name]);
  });
}

function sha256(value) {
  return createHash('sha256').update(value).digest('hex');
}

/** Four random bytes, then SHA-256 over those and the password: https://www.rabbitmq.com/docs/passwords */
function rabbitmqHash(password) {
  const salt = randomBytes(4);
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]).toString('base64');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  makeSecrets();
  console.log('deploy/.env and deploy/secrets/ are there');
}
