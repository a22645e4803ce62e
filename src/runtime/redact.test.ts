import { expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { withoutPasswords } from './redact.ts';

it.each([
  ['amqp://api:secret@mq:5672/groundswell', 'amqp://api:***@mq:5672/groundswell'],
  ['redis://:secret@cache:6379', 'redis://:***@cache:6379'],
  [
    'postgres://api@db/groundswell?password=secret&sslmode=require',
    'postgres://api@db/groundswell?password=***&sslmode=require',
  ],
  [
    'at http://127.0.0.1:4000/graphql, mail to ann@example.com',
    'at http://127.0.0.1:4000/graphql, mail to ann@example.com',
  ],
])('%s', (text, shown) => {
  expect(withoutPasswords(text)).toBe(shown);
});

it('no line of the log has the password of a URL, wherever in an error it is', () => {
  const lines: string[] = [];
  const logger = createLogger('info', 'test', undefined, { write: (line) => void lines.push(line) });
  const cause = new Error('connect amqp://api:secret@mq:5672');
  logger.error(
    { error: new Error('away: redis://:secret@cache', { cause }), url: 'postgres://api:secret@db' },
    'secret? x://y:secret@z',
  );
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('away: redis://:***@cache');
  expect(lines[0]?.replaceAll('secret?', '')).not.toContain('secret');
});
