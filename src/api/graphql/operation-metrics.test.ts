import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ApolloServer } from '@apollo/server';
import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../runtime/metrics.ts';
import { packageRoot } from '../../runtime/package-root.ts';
import type { ApiContext } from './context.ts';
import { createOperationMetrics, OUR_OPERATIONS } from './operation-metrics.ts';

const typeDefs = `
  type Query { hello: String, broken: String, busy: String! }
  type Mutation { recordInteraction: String, upsertItems: String }
`;

function failing(code: string) {
  return () => {
    throw Object.assign(new Error(code), { extensions: { code } });
  };
}

async function counted(documents: readonly string[], names: readonly string[] = []) {
  const metrics = createMetrics();
  const listed = new Set(names);
  const observe = createOperationMetrics({ metrics, listed: () => listed });
  const server = new ApolloServer<ApiContext>({
    typeDefs,
    resolvers: {
      Query: { hello: () => 'world', broken: failing('SERVICE_UNAVAILABLE'), busy: failing('SERVICE_BUSY') },
      Mutation: { recordInteraction: () => 'done', upsertItems: () => 'done' },
    },
    plugins: [
      { requestDidStart: async () => ({ willSendResponse: async (answered) => observe(answered, performance.now()) }) },
    ],
  });
  await server.start();
  for (const query of documents) await server.executeOperation({ query });
  await server.stop();
  const operations = (await metrics.operations.get()).values.filter(({ value }) => value > 0);
  const durations = (await metrics.operationDuration.get()).values.filter(
    ({ metricName, value }) => metricName?.endsWith('_count') === true && value > 0,
  );
  return {
    operations: operations.map(({ labels, value }) => `${labels.operation} ${labels.outcome} ${value}`),
    durations: durations.map(({ labels, value }) => `${labels.operation} ${labels.kind} ${value}`),
  };
}

describe('operation metrics', () => {
  it('count faults from zero, since a rate sees a counter grow only from a value that was there', async () => {
    const metrics = createMetrics();
    createOperationMetrics({ metrics, listed: () => new Set() });
    for (const outcome of ['partial', 'fault']) {
      const expected = { labels: { operation: 'other', outcome }, value: 0 };
      expect((await metrics.operations.get()).values).toContainEqual(expected);
    }
  });

  it('name what is listed or ours, and call everything else other', async () => {
    const { operations } = await counted(
      ['query Listed { hello }', 'query PopularItems { hello }', 'query Anything { hello }', '{ hello }'],
      ['Listed'],
    );
    expect(operations).toEqual(['Listed ok 1', 'PopularItems ok 1', 'other ok 2']);
  });

  it('tell our faults from the client’s, and whole ones from partial ones', async () => {
    const { operations, durations } = await counted([
      '{ nope }',
      'not graphql',
      '{ hello broken }',
      '{ busy }',
      '{ hello }',
    ]);
    expect(operations).toEqual(['other partial 1', 'other fault 1', 'other refused 2', 'other ok 1']);
    expect(durations).toEqual(['other read 2']);
  });

  it('time what accepts interactions apart from what admins do', async () => {
    const { durations } = await counted(['mutation { recordInteraction }', 'mutation { upsertItems }']);
    expect(durations).toEqual(['other accept 1', 'other admin 1']);
  });

  it('stay bounded, however much a manifest lists', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `Listed${index}`);
    const { operations } = await counted(
      names.map((name) => `query ${name} { hello }`),
      names,
    );
    expect(operations.length).toBeLessThanOrEqual(201);
    expect(operations.at(-1)).toMatch(/^other ok \d+$/);
  });

  it('know every operation that our own clients send', () => {
    const sent = textsIn(join(packageRoot(), 'examples')).flatMap((text) =>
      Array.from(text.matchAll(/\b(?:query|mutation) ([A-Z]\w*)\b\s*[({]/g), ([, name]) => name),
    );
    expect(sent).toContain('PopularItems');
    expect(sent.filter((name) => name === undefined || !OUR_OPERATIONS.has(name))).toEqual([]);
  });
});

function textsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(?:js|graphql|json)$/.test(path) && !path.includes('node_modules'))
    .map((path) => readFileSync(join(folder, path), 'utf8'));
}
