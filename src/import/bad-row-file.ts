import { closeSync, openSync, writeSync } from 'node:fs';
import { messageOf } from '../runtime/errors.ts';
import { ImportFileError } from './import-file-error.ts';

export interface BadRowFile {
  readonly path: string;
  /** Takes one line. @throws the system's error when it cannot be written */
  add(line: string): void;
  close(): void;
}

const BUFFERED_CHARACTERS = 64 * 1024;

/** Replaces the file at once, so that no bad rows of an earlier import are taken for this one's. @throws ImportFileError */
export function openBadRowFile(path: string): BadRowFile {
  let file: number;
  try {
    file = openSync(path, 'w');
  } catch (error) {
    throw new ImportFileError(`${path} cannot be written: ${messageOf(error)}`, error);
  }
  let waiting = '';

  function flush(): void {
    const text = waiting;
    waiting = '';
    writeSync(file, text);
  }

  return {
    path,
    add(line) {
      waiting += `${line}\n`;
      if (waiting.length >= BUFFERED_CHARACTERS) flush();
    },
    close() {
      try {
        flush();
      } finally {
        closeSync(file);
      }
    },
  };
}
