import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf } from '../runtime/errors.ts';
import { bunzip2 } from './bunzip2.ts';
import { ImportFileError } from './import-file-error.ts';

export interface OpenFile {
  /** Decompressed. @throws ImportFileError when the file is damaged or cut off */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** As stored, so that progress needs no look ahead. */
  readonly sizeBytes: number;
  bytesRead(): number;
}

type Compression = 'none' | 'gzip' | 'bzip2';

/** Plain, gzip or bzip2, told by the first bytes and not by the name. @throws ImportFileError */
export async function openFile(path: string): Promise<OpenFile> {
  const { sizeBytes, compression } = await inspect(path);
  const source = createReadStream(path, { highWaterMark: 256 * 1024 });
  return { bytes: decompress(source, compression, path), sizeBytes, bytesRead: () => source.bytesRead };
}

/** @throws ImportFileError when there is nothing to read */
export async function checkFile(path: string): Promise<void> {
  await inspect(path);
}

async function inspect(path: string): Promise<{ sizeBytes: number; compression: Compression }> {
  try {
    await using file = await open(path, 'r');
    const stats = await file.stat();
    if (stats.isDirectory()) throw new ImportFileError(`${path} is a folder`);
    if (!stats.isFile()) throw new ImportFileError(`${path} is no regular file`);
    if (stats.size === 0) throw new ImportFileError(`${path} is empty`);
    const head = Buffer.alloc(4);
    await file.read(head, 0, head.length, 0);
    return { sizeBytes: stats.size, compression: compressionOf(head) };
  } catch (error) {
    if (error instanceof ImportFileError) throw error;
    throw new ImportFileError(`${path} ${reasonOf(error)}`, error);
  }
}

function compressionOf(head: Buffer): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  return /^BZh[1-9]$/.test(head.toString('latin1')) ? 'bzip2' : 'none';
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  return `cannot be read: ${messageOf(error)}`;
}

async function* decompress(source: Readable, compression: Compression, path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* throughDecompressor(source, compression);
  } catch (error) {
    const damaged =
      compression === 'none' ? reasonOf(error) : `is cut off or damaged (${compression}: ${messageOf(error)})`;
    throw new ImportFileError(`${path} ${damaged}`, error);
  } finally {
    source.destroy();
  }
}

function throughDecompressor(source: Readable, compression: Compression): AsyncIterable<Uint8Array> {
  if (compression === 'bzip2') return bunzip2(source);
  if (compression === 'none') return source;
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  return source.pipe(gunzip);
}
