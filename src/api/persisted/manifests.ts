import { hash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { Kind, parse, type DocumentNode } from 'graphql';
import { z } from 'zod';
import { messageOf } from '../../runtime/errors.ts';
import { globFiles } from './glob-files.ts';
import { ManifestError } from './manifest-error.ts';

/** As Apollo's web, iOS and Kotlin tools write it. */
const manifestSchema = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  version: z.literal(1),
  operations: z.array(z.object({ id: z.string().min(1).max(512), body: z.string().min(1) })),
});

/** Every operation that is listed, under each id a client may call it by. */
export interface ListedDocuments {
  readonly byId: ReadonlyMap<string, string>;
  readonly bodies: ReadonlySet<string>;
  /** Of the operations in them. */
  readonly names: ReadonlySet<string>;
}

export const NOTHING_LISTED: ListedDocuments = { byId: new Map(), bodies: new Set(), names: new Set() };

/**
 * One operation has three ids: the manifest tool hashes the document with its definitions sorted, APQ hashes the text as
 * sent, and codegen's client preset writes `sha256:` before the hash. Hashes are compared in lower case.
 */
export function normalizeDocumentId(id: string): string {
  const bare = id.startsWith('sha256:') ? id.slice('sha256:'.length) : id;
  return /^[0-9a-f]{64}$/i.test(bare) ? bare.toLowerCase() : id;
}

export function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

/** The files of the patterns as they are now; a pattern without wildcards always names one. */
export async function findManifests(patterns: readonly string[]): Promise<string[]> {
  const found = await Promise.all(patterns.map(globFiles));
  return [...new Set(found.flat())];
}

/** Changes whenever a file comes, goes, is written or may be read by others than before. */
export async function manifestsSignature(patterns: readonly string[]): Promise<string> {
  const files = await findManifests(patterns);
  const states = await Promise.all(
    files.map(async (file) => {
      const state = await stat(file).catch(() => null);
      return `${file} ${state === null ? 'missing' : `${state.mtimeMs} ${state.ctimeMs} ${state.size} ${state.ino}`}`;
    }),
  );
  return states.join('\n');
}

/** @throws ManifestError that names the file and what is wrong with it */
export async function loadManifests(patterns: readonly string[]): Promise<ListedDocuments> {
  const byId = new Map<string, string>();
  const bodies = new Set<string>();
  const names = new Set<string>();
  for (const file of await findManifests(patterns)) {
    for (const { id, body, operationNames } of await loadManifest(file)) {
      for (const key of [normalizeDocumentId(id), sha256(body)]) {
        const other = byId.get(key);
        if (other !== undefined && other !== body)
          throw new ManifestError(file, `the id ${id} stands for two documents`);
        byId.set(key, body);
      }
      bodies.add(body);
      for (const name of operationNames) names.add(name);
    }
  }
  return { byId, bodies, names };
}

async function loadManifest(file: string) {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new ManifestError(file, messageOf(error), error);
  }
  const manifest = manifestSchema.safeParse(content);
  if (!manifest.success) throw new ManifestError(file, z.prettifyError(manifest.error));
  return manifest.data.operations.map(({ id, body }) => {
    try {
      return { id, body, operationNames: namesIn(parse(body, { noLocation: true })) };
    } catch (error) {
      throw new ManifestError(file, `operation ${id}: ${messageOf(error)}`, error);
    }
  });
}

function namesIn({ definitions }: DocumentNode): string[] {
  return definitions.flatMap((node) => (node.kind === Kind.OPERATION_DEFINITION ? (node.name?.value ?? []) : []));
}
