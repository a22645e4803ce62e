import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { panelQueries } from '../../../deploy/testing/panel-queries.ts';
import { build, KUBERNETES, parseObjects, schemaFault } from './objects.ts';

interface MonitorSpec {
  readonly podMetricsEndpoints: readonly {
    readonly relabelings?: readonly { readonly targetLabel: string; readonly replacement: string }[];
  }[];
}

const RULES = join(KUBERNETES, '../prometheus/rules');
const ruleFiles = readdirSync(RULES).toSorted();
const rules = ruleFiles.map((file) => readFileSync(join(RULES, file), 'utf8'));

it('each process is scraped under the job that the rules and dashboards ask for', async () => {
  const expressions = [...rules, ...panelQueries().map(({ expression }) => expression)].join('\n');
  const asked = new Set([...expressions.matchAll(/job="(groundswell-[\w-]+)"/g)].map(([, job = '']) => job));
  const jobs = (await build('monitoring')).map(({ metadata, spec }) => {
    const { podMetricsEndpoints } = spec as MonitorSpec;
    const labels = podMetricsEndpoints.map(({ relabelings = [] }) =>
      Object.fromEntries(relabelings.map(({ targetLabel, replacement }) => [targetLabel, replacement])),
    );
    return [metadata.name, labels];
  });
  expect(jobs).toEqual([...asked].toSorted().map((job) => [job, [{ job }]]));
});

it('the Prometheus Operator gets the same rules, each file as an object that its schema allows', () => {
  const script = join(KUBERNETES, 'monitoring/prometheus-rules.sh');
  const objects = parseObjects(execFileSync('sh', [script], { encoding: 'utf8' }), script);
  expect(objects.map(({ metadata, spec }) => [metadata, spec])).toEqual(
    ruleFiles.map((file, index) => [
      { name: `groundswell-${file.replace('.yml', '')}`, namespace: 'groundswell' },
      parse(rules[index] ?? ''),
    ]),
  );
  expect(objects.flatMap((object) => schemaFault(object) ?? [])).toEqual([]);
});
