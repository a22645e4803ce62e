import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const INTEGRATION = '**/*.integration.test.ts';
/**
 * Whole deployments, several processes each, and no promise of how fast they are: two at a time, as they mostly wait.
 * The longest first.
 */
const SYSTEMS = [
  'test/commands/cluster.test.ts',
  'test/faults/quick.test.ts',
  'deploy/dockerfile.integration.test.ts',
  'test/end-to-end/broker-cluster.test.ts',
  'test/load/load.test.ts',
  'test/end-to-end/members.test.ts',
  'deploy/prometheus/rules.integration.test.ts',
];
/** They keep each other from answering in time, so nothing else runs beside one. */
const ALONE = [
  'deploy/prometheus/faults.integration.test.ts',
  'deploy/stack/stack.integration.test.ts',
  'test/commands/npm-start.test.ts',
  'test/end-to-end/overload.test.ts',
  'test/faults/quick-timed.test.ts',
];
/** Small files that take long, as what they run is in others. */
const LONG = [
  'test/recording/recorder.test.ts',
  'test/end-to-end/systems.test.ts',
  'test/end-to-end/pgbouncer.test.ts',
];
const CODE = '{src,worker,bench,deploy,scripts,examples}';

/**
 * Vitest begins with what took longest the last time. In a clean clone nothing has been timed and it begins with the largest files: a
 * small one that takes minutes would come last, with nothing left to run beside it.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files);
    const long = [...SYSTEMS, ...LONG].flatMap((name) =>
      others.filter(({ moduleId }) => relative(import.meta.dirname, moduleId) === name),
    );
    return [...new Set([...long, ...others])];
  }
}

export default defineConfig({
  // Vite would take graphql's ES module and Apollo, through Node, its CommonJS one: two sets of classes.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    pool: 'forks',
    // The servers run beside the tests, on as few as two cores.
    maxWorkers: 2,
    teardownTimeout: 60_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [`${CODE}/**/*.test.ts`],
          exclude: [INTEGRATION, '**/node_modules/**'],
          testTimeout: 20_000,
          // To load the modules for each file anew takes longer than all the tests.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts', `${CODE}/${INTEGRATION}`],
          exclude: [...SYSTEMS, ...ALONE, '**/node_modules/**'],
          globalSetup: ['test/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'systems',
          include: SYSTEMS,
          globalSetup: ['test/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          globalSetup: ['test/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
