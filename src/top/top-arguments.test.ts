import { expect, it } from 'vitest';
import { localOrigins, parseTopArguments } from './top-arguments.ts';

it('looks at the processes of this machine every 2 s when told nothing', () => {
  expect(parseTopArguments([])).toEqual({
    kind: 'run',
    arguments: { origins: null, intervalMs: 2_000, once: false, json: false },
  });
});

it('looks for a worker of its own only where there is one', () => {
  expect(localOrigins(true)).toEqual(['http://127.0.0.1:9464']);
  expect(localOrigins(false)).toEqual(['http://127.0.0.1:9464', 'http://127.0.0.1:9465']);
});

it('takes several processes, an interval, --once and --json', () => {
  const argv = ['--metrics', 'http://a:1/metrics', '--metrics', 'https://b', '--interval', '0.5', '--once', '--json'];
  expect(parseTopArguments(argv)).toEqual({
    kind: 'run',
    arguments: { origins: ['http://a:1', 'https://b'], intervalMs: 500, once: true, json: true },
  });
});

it.each([
  [['--metrics', 'a:9464'], /a:9464 is no http/],
  [['--interval', '0'], /0\.2 to 60/],
  [['--interval', 'fast'], /0\.2 to 60/],
  [['--twice'], /--twice/],
])('refuses %s', (argv, fault) => {
  const parsed = parseTopArguments(argv);
  expect(parsed.kind === 'fault' && parsed.fault).toMatch(fault);
});
