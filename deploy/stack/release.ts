import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../../scripts/build.mjs';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { testDirectory } from '../../test/servers/test-run.ts';

/** What the image holds besides dist/ and node_modules/ (deploy/Dockerfile). */
const FILES = ['package.json', 'schema.graphql', 'prisma', 'scripts/launch.mjs'];

/** The compiled package in a folder of its own, laid out as in the image; its node_modules are this one's. */
export async function buildRelease(): Promise<string> {
  const directory = testDirectory('release');
  await build(join(directory, 'dist'));
  for (const file of FILES) cpSync(join(packageRoot(), file), join(directory, file), { recursive: true });
  symlinkSync(join(packageRoot(), 'node_modules'), join(directory, 'node_modules'));
  return directory;
}
