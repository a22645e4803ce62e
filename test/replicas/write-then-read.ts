import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { runCommand } from '../commands/run-command.ts';
import { startCommand } from '../commands/start-command.ts';
import { as, asAdmin, ask, type Answer } from '../end-to-end/system.ts';
import { query } from '../servers/query.ts';
import { startPostgres, type PostgresCluster } from '../servers/start-postgres.ts';
import { resetStatementCounts, statementCounts } from '../servers/statement-counts.ts';

export interface WriteThenReadOptions {
  /** Of each phase. */
  readonly pairs: number;
  /** Pairs under way at a time. */
  readonly atOnce: number;
  readonly lagMs: number;
}

export interface WriteThenReadPhase {
  readonly name: 'both lag' | 'one lags' | 'caught up';
  readonly pairs: number;
  /** Answers with `includes` that lacked the write. */
  readonly stale: number;
  /** Of the last pairs, each followed by a read without `includes`: how many of those lacked the write. */
  readonly staleWithout: number;
  /** Answers NOT_YET_RECORDED, each asked again. */
  readonly notYet: number;
  readonly worstMs: number;
  /** Pages read there, by pg_stat_statements. */
  readonly onPrimary: number;
  readonly onReplicas: readonly number[];
}

const MAX_TRIES = 20;
const RECORD = `mutation ($id: ID!, $item: ID!) {
  recordInteraction(input: { itemId: $item, type: VIEW, id: $id }) { userErrors { code } } }`;
const READ = `query ($item: String!, $includes: [ID!]) {
  popularItems(first: 1, category: $item, includes: $includes) {
    nodes { score people counts { count } item { id counts(window: WEEK) { count } } } } }`;

/**
 * People who view an item and ask at once what is popular, against API and worker on a primary with two replicas: both
 * replay 10 s late and still count as healthy, then one of them, then none.
 */
export async function writeThenRead(options: WriteThenReadOptions): Promise<WriteThenReadPhase[]> {
  await using cluster = await startPostgres({ replicas: 2 });
  const urls = await cluster.createDatabase();
  const env = {
    DATABASE_URL: urls.url,
    DATABASE_REPLICA_URLS: urls.replicaUrls.join(','),
    DATABASE_REPLICA_MAX_LAG_MS: String(options.lagMs * 100),
    LOG_LEVEL: 'warn',
  };
  const migrated = await runCommand('migrate', env);
  if (migrated.exitCode !== 0) throw new Error(migrated.stderr);
  await using api = await startCommand('api', env);
  await using _worker = await startCommand('worker', env);

  const phases: WriteThenReadPhase[] = [];
  const run = async (name: WriteThenReadPhase['name'], lagging: number): Promise<void> => {
    await delayReplay(cluster, lagging, options.lagMs);
    phases.push(await runPhase(name, api.url, urls, options));
  };
  await run('both lag', 2);
  await run('one lags', 1);
  await run('caught up', 0);
  return phases;
}

/** The first so many replicas replay each commit only when it is `lagMs` old. */
async function delayReplay({ replicas }: PostgresCluster, lagging: number, lagMs: number): Promise<void> {
  for (const [index, { url }] of replicas.entries()) {
    await query(url, `ALTER SYSTEM SET recovery_min_apply_delay = ${index < lagging ? lagMs : 0}`);
    await query(url, 'SELECT pg_reload_conf()');
  }
}

async function runPhase(
  name: WriteThenReadPhase['name'],
  url: string,
  { url: primaryUrl, replicaUrls }: { readonly url: string; readonly replicaUrls: readonly string[] },
  { pairs, atOnce }: WriteThenReadOptions,
): Promise<WriteThenReadPhase> {
  const prefix = name.replaceAll(' ', '-');
  // Made just now: a replica that lags does not know them yet. Each is alone in its category, so every page is known.
  const items = Array.from({ length: atOnce }, (_, n) => ({
    id: `${prefix}-${n}`,
    title: name,
    category: `${prefix}-${n}`,
  }));
  const made = 'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }';
  await ask({ url }, made, { items }, asAdmin);
  const servers = [primaryUrl, ...replicaUrls];
  for (const server of servers) await resetStatementCounts(server);

  const outcome = { stale: 0, staleWithout: 0, notYet: 0, worstMs: 0 };
  const isStale = ({ body }: Answer, item: string, views: number): boolean => {
    const counts = [{ count: views }];
    const expected = { score: views, people: views, counts, item: { id: item, counts } };
    return JSON.stringify(body.data) !== JSON.stringify({ popularItems: { nodes: [expected] } });
  };
  const readUntilRecorded = async (item: string, id: string, user: string): Promise<Answer> => {
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      const answer = await ask({ url }, READ, { item, includes: [id] }, as(user));
      if (answer.body.errors?.[0]?.extensions.code !== 'NOT_YET_RECORDED') return answer;
      outcome.notYet += 1;
    }
    throw new Error(`not recorded after ${MAX_TRIES} tries`);
  };
  await Promise.all(
    items.map(async ({ id: item }, slot) => {
      const rounds = Math.floor(pairs / atOnce) + (slot < pairs % atOnce ? 1 : 0);
      for (let views = 1; views <= rounds; views += 1) {
        const startedAt = performance.now();
        const [id, user] = [newInteractionId(), `${item}-${views}`];
        const { body } = await ask({ url }, RECORD, { id, item }, as(user));
        if (JSON.stringify(body) !== '{"data":{"recordInteraction":{"userErrors":[]}}}') {
          throw new Error(`not accepted: ${JSON.stringify(body)}`);
        }
        const answer = await readUntilRecorded(item, id, user);
        if (answer.status !== 200) throw new Error(`not read: ${JSON.stringify(answer.body)}`);
        if (isStale(answer, item, views)) outcome.stale += 1;
        outcome.worstMs = Math.max(outcome.worstMs, performance.now() - startedAt);
      }
    }),
  );
  const counts = await Promise.all(servers.map(pagesReadAt));
  for (const [slot, { id: item }] of items.entries()) {
    const views = Math.floor(pairs / atOnce) + (slot < pairs % atOnce ? 1 : 0);
    if (isStale(await ask({ url }, READ, { item }), item, views)) outcome.staleWithout += 1;
  }
  const [onPrimary = 0, ...onReplicas] = counts;
  return { name, pairs, ...outcome, onPrimary, onReplicas };
}

async function pagesReadAt(url: string): Promise<number> {
  const pages = (await statementCounts(url)).filter((each) => each.query.includes('LEFT JOIN standing_lists'));
  return pages.reduce((sum, { calls }) => sum + calls, 0);
}
