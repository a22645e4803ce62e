import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { expect, it } from 'vitest';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { requireProgram } from '../../test/servers/programs.ts';
import { panelQueries } from '../testing/panel-queries.ts';

interface Rule {
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}
interface RuleTest {
  readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
}

const folder = (...path: string[]): string => join(import.meta.dirname, ...path);
const filesIn = (name: string): string[] => readdirSync(folder(name)).map((file) => folder(name, file));
const read = (file: string): string => readFileSync(file, 'utf8');
const promtool = (...args: string[]) => promisify(execFile)(requireProgram('promtool'), args, { cwd: folder() });

const rules = filesIn('rules').flatMap((file) => {
  const { groups }: { groups: { rules: Rule[] }[] } = parse(read(file));
  return groups.flatMap((group) => group.rules);
});
const alerts = rules.filter(({ alert }) => alert !== undefined);
const names = new Set(alerts.map(({ alert }) => alert ?? ''));

it('prometheus.yml and every rule are understood', async () => {
  await promtool('check', 'config', 'prometheus.yml');
  await promtool('check', 'rules', ...filesIn('rules'));
});

// Days of samples: some seconds of work, and more on a machine with much else to do.
it.each(readdirSync(folder('tests')))('the rules do what tests/%s says', { timeout: 400_000 }, async (file) => {
  await promtool('test', 'rules', folder('tests', file));
});

it('every alert is shown to fire, and shown not to', () => {
  const tests = filesIn('tests').flatMap((file) => {
    const { tests: all }: { tests: RuleTest[] } = parse(read(file));
    return all.flatMap((test) => test.alert_rule_test ?? []);
  });
  const named = (isFiring: boolean): Set<string> =>
    new Set(tests.flatMap((test) => (test.exp_alerts.length > 0 === isFiring ? [test.alertname] : [])));
  expect(named(true)).toEqual(names);
  expect(named(false)).toEqual(names);
});

it('every alert has a severity, words, and a runbook; and every runbook an alert', () => {
  const runbooks = readdirSync(folder('..', '..', 'docs', 'runbooks')).map((file) => file.replace(/\.md$/, ''));
  expect(new Set(runbooks)).toEqual(names);
  for (const { alert, labels, annotations } of alerts) {
    expect(['page', 'ticket']).toContain(labels?.severity);
    expect(annotations).toMatchObject({
      summary: expect.stringMatching(/\w/),
      description: expect.stringMatching(/\w/),
      runbook_url: `docs/runbooks/${alert}.md`,
    });
  }
});

it('rules and dashboards use no metric of ours that does not exist', async () => {
  const ours = new Set((await createMetrics().registry.getMetricsAsJSON()).map(({ name }) => name));
  const expressions = [...rules.map(({ expr }) => expr), ...panelQueries().map(({ expression }) => expression)];
  const used = new Set(expressions.flatMap((expression) => expression.match(/groundswell_\w+/g) ?? []));
  expect(used.size).toBeGreaterThan(20);
  const unknown = [...used].filter((name) => !ours.has(name) && !ours.has(name.replace(/_(bucket|sum|count)$/, '')));
  expect(unknown).toEqual([]);
});
