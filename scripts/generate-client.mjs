import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const schemaFile = join(root, 'prisma', 'schema.prisma');
const generated = join(root, 'src', 'adapters', 'generated');
const client = join(generated, 'prisma');
const OUTPUT = /^(\s*output\s*=\s*)".*"$/m;

/**
 * Makes the Prisma client from prisma/schema.prisma when it is missing or older than the schema or Prisma itself.
 * Resolves to whether it had to. Safe to call from several processes at once. Not a `postinstall` script, because npm may
 * be told to run none.
 */
export async function generateClient() {
  const schema = await readFile(schemaFile, 'utf8');
  const stamp = stampOf(schema);
  if (isCurrent(stamp)) return false;
  if (!OUTPUT.test(schema)) throw new Error(`${schemaFile}: the generator has no output`);

  await mkdir(generated, { recursive: true });
  const work = await mkdtemp(join(generated, '.new-'));
  try {
    const output = join(work, 'prisma');
    const workSchema = join(work, 'schema.prisma');
    await writeFile(
      workSchema,
      schema.replace(OUTPUT, (_, key) => `${key}${JSON.stringify(output)}`),
    );
    await runPrisma(workSchema);
    await writeFile(join(output, '.stamp'), stamp);
    await replaceClient(output, join(work, 'old'), stamp);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return true;
}

function stampOf(schema) {
  const { version } = createRequire(import.meta.url)('prisma/package.json');
  return createHash('sha256').update(`${version}\n${schema}`).digest('hex');
}

function isCurrent(stamp) {
  const file = join(client, '.stamp');
  return existsSync(file) && readFileSync(file, 'utf8') === stamp;
}

async function runPrisma(schema) {
  const cli = createRequire(import.meta.url).resolve('prisma/build/index.js');
  const env = {
    ...process.env,
    // Never run by `generate`, but looked for, and downloaded when it is not there. Any existing executable will do.
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
  };
  try {
    await promisify(execFile)(process.execPath, [cli, 'generate', '--schema', schema, '--no-hints'], {
      cwd: root,
      env,
    });
  } catch (error) {
    throw new Error(`prisma generate failed\n${error.stdout ?? ''}${error.stderr ?? ''}`.trim(), { cause: error });
  }
}

/** Renames are atomic, two of them are not: whoever loses the race keeps the winner's, which has the same stamp. */
async function replaceClient(output, old, stamp) {
  for (let attempt = 1; ; attempt++) {
    await rename(client, old).catch((error) => {
      if (error.code !== 'ENOENT') throw error;
    });
    try {
      await rename(output, client);
      return;
    } catch (error) {
      if (isCurrent(stamp)) return;
      if (attempt === 5 || !['ENOTEMPTY', 'EEXIST'].includes(error.code)) throw error;
      await rm(old, { recursive: true, force: true });
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = await generateClient();
  console.log(made ? 'Prisma client generated' : 'Prisma client is up to date');
}
