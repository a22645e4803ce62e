import { defineConfig } from 'vitest/config';

/** `npm run test:alerts`, which takes too long to be a part of `npm test`. */
export default defineConfig({
  test: {
    pool: 'forks',
    include: ['deploy/prometheus/alerts.faults.ts'],
    globalSetup: ['test/alerts-setup.ts'],
    teardownTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['verbose'],
  },
});
