import { defineConfig } from 'vitest/config';

const INTEGRATION = '**/*.integration.test.ts';
const CODE = '{src,worker,bench,deploy,scripts,examples}';

export default defineConfig({
  // Vite would take graphql's ES module and Apollo, through Node, its CommonJS one: two sets of classes.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    pool: 'forks',
    // The servers run beside the tests, on as few as two cores.
    maxWorkers: 2,
    teardownTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [`${CODE}/**/*.test.ts`],
          exclude: [INTEGRATION, '**/node_modules/**'],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts', `${CODE}/${INTEGRATION}`],
          globalSetup: ['test/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
