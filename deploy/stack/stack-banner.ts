import type { Stack } from './stack.ts';

/** Where everything is, and commands to paste. The tokens are good for a day, on this stack alone. */
export async function stackBanner(stack: Stack): Promise<string> {
  const [user, admin] = await Promise.all([stack.token('ann'), stack.token('root', 'admin')]);
  const curl = (query: string, token: string) =>
    `curl -s ${stack.url}/graphql -H 'content-type: application/json' -H 'authorization: Bearer ${token}' \\\n  -d '${JSON.stringify({ query })}'`;
  const facts = [
    ['GraphQL', `${stack.url}/graphql`],
    ['Web example', `${stack.url}/`],
    ...stack.apis.map(({ name, url, metricsUrl }) => [name, `${url}/graphql  ${metricsUrl}`]),
    ...stack.workers.map(({ name, metricsUrl }) => [name, metricsUrl]),
    ...(stack.prometheusUrl === null ? [] : [['Prometheus', stack.prometheusUrl]]),
    ['PgBouncer', stack.pgbouncerUrl],
    ['Postgres', stack.databaseUrl],
    ...stack.replicaUrls.map((url, index) => [`Replica ${index + 1}`, url]),
    ['RabbitMQ', stack.amqpUrl],
    ['Redis', stack.redisUrl],
  ];
  return [
    '',
    ...facts.map(([name = '', value = '']) => `${name.padEnd(12)} ${value}`),
    '',
    'A like, then what is popular:',
    '',
    curl(
      'mutation { recordInteraction(input: { itemId: "book-14", type: LIKE }) { interaction { id status } userErrors { code } } }',
      user,
    ),
    '',
    curl('{ popularItems(first: 3) { asOf nodes { rank score people item { id title } } } }', user),
    '',
    `A token for admin fields: ${admin}`,
    '',
    'Ctrl-C ends everything.',
    '',
  ].join('\n');
}
