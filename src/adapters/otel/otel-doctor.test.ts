import { expect, it } from 'vitest';
import { startCollector } from '../../../test/tracing/start-collector.ts';
import { examineCollector } from './otel-doctor.ts';

it('says whether the collector takes traces, with the headers it wants', async () => {
  await using collector = await startCollector();
  const well = await examineCollector(`${collector.url}/v1/traces`, { 'x-tenant': 'a' });
  expect(well).toMatchObject({ ok: true, text: expect.stringMatching(/^takes traces; answers in \d+ ms$/) });
  expect(collector.headers()['x-tenant']).toBe('a');
  expect(collector.spans).toEqual([]);
});

it('says what is wrong with it', async () => {
  const collector = await startCollector();
  const elsewhere = await examineCollector(`${collector.url}/v2/traces`, {});
  expect(elsewhere).toMatchObject({ ok: false, text: 'answers 404 to an export of traces' });
  await collector[Symbol.asyncDispose]();
  const away = await examineCollector(`${collector.url}/v1/traces`, {});
  expect(away).toMatchObject({ ok: false, text: expect.stringContaining('ECONNREFUSED') });
});
