import { pino, stdSerializers, type Logger } from 'pino';
import { withoutPasswords } from './redact.ts';

export type { Logger } from 'pino';

/** JSON lines on stdout. `error` means that somebody must act. */
export function createLogger(level: string, name: string): Logger {
  return pino({
    name,
    level,
    serializers: { error: stdSerializers.err },
    // A URL with a password in it may come in an error's text.
    hooks: {
      streamWrite: withoutPasswords,
    },
  });
}
