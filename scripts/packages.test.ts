import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { packageRoot } from '../src/runtime/package-root.ts';

const read = (name: string): string => readFileSync(join(packageRoot(), name), 'utf8');
const manifest = z
  .object({
    scripts: z.record(z.string(), z.string()),
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(read('package.json')));
const lock = z
  .object({
    packages: z.record(
      z.string(),
      z.object({ integrity: z.string().optional(), link: z.boolean().optional(), resolved: z.string().optional() }),
    ),
  })
  .parse(JSON.parse(read('package-lock.json')));

it('an install runs no scripts, neither of packages nor our own', () => {
  expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  const hooks = Object.keys(manifest.scripts).filter((name) => /^(?:pre|post)|^(?:install|prepare)/.test(name));
  expect(hooks).toEqual([]);
});

it('every package has one version and one content, and comes from the registry', () => {
  const { dependencies, devDependencies } = manifest;
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/);
  }
  const { '': _, ...packages } = lock.packages;
  expect(Object.keys(packages).length).toBeGreaterThan(100);
  for (const [name, { integrity, link, resolved }] of Object.entries(packages)) {
    expect(link, name).toBeUndefined();
    expect(resolved ?? 'https://registry', name).toMatch(/^https:\/\/registry/);
    expect(integrity, name).toMatch(/^sha512-/);
  }
});
