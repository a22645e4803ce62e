export interface BannerFacts {
  readonly host: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly sandbox: boolean;
  /** Where data lives and who records, a line each. */
  readonly notes: readonly string[];
}

/** What a person at the terminal wants to know once it runs. */
export function banner({ host, port, metricsPort, sandbox, notes }: BannerFacts): string {
  const origin = `http://${reachable(host)}:${port}`;
  return [
    '',
    'Groundswell is running.',
    `  GraphQL  ${origin}/graphql${sandbox ? '  (in a browser: Apollo Sandbox)' : ''}`,
    `  Health   ${origin}/health/ready`,
    `  Metrics  http://${reachable(host)}:${metricsPort}/metrics`,
    ...notes.map((note) => `  ${note}`),
    'Try:',
    `  curl -s ${origin}/graphql -H 'content-type: application/json' \\`,
    `    -d '{"query":"{ popularItems(first: 3) { nodes { rank score people item { id title } } } }"}'`,
    'Ctrl-C stops it.',
    '',
    '',
  ].join('\n');
}

function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
