import { z } from 'zod';

const DEADLINE_MS = 3_000;

const QUEUE = z.object({
  type: z.string().default('classic'),
  policy: z.string().nullish(),
  effective_policy_definition: z.record(z.string(), z.unknown()).or(z.array(z.unknown())).nullish(),
  members: z.array(z.string()).optional(),
  online: z.array(z.string()).optional(),
  messages_unacknowledged: z.number().default(0),
});
type Queue = z.infer<typeof QUEUE> & { readonly name: string };
const NODES = z.array(
  z.object({
    name: z.string(),
    running: z.boolean(),
    mem_alarm: z.boolean().default(false),
    disk_free_alarm: z.boolean().default(false),
  }),
);

export interface Looked {
  readonly facts: readonly string[];
  readonly problems: readonly string[];
}

/** What AMQP does not tell: policies on the queues, their members, alarms of nodes. @throws Error when it cannot be reached */
export async function lookAtManagement(url: string, vhost: string, names: readonly string[]): Promise<Looked> {
  const nodes = NODES.parse(await get(url, 'nodes'));
  const queues: Queue[] = [];
  for (const name of names) {
    const found = await get(url, `queues/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}`);
    if (found !== null) queues.push({ name, ...QUEUE.parse(found) });
  }
  const down = nodes.flatMap(({ name, running }) => (running ? [] : [name]));
  return {
    facts: [`${nodes.length - down.length} of ${nodes.length} nodes run`, ...queueFacts(queues)],
    problems: [
      ...(down.length > 0 ? [`${down.join(', ')} is down: start it, or forget the node`] : []),
      ...nodes.flatMap(({ name, mem_alarm: memory, disk_free_alarm: disk }) => [
        ...(memory ? [`${name} is short of memory and takes nothing: add memory or workers`] : []),
        ...(disk ? [`${name} is short of disk and takes nothing: free some`] : []),
      ]),
      ...queues.flatMap((queue) =>
        queueProblems(queue, nodes.length).map((problem) =>
          names.length === 1 ? problem : `${queue.name}: ${problem}`,
        ),
      ),
    ],
  };
}

function queueFacts(queues: readonly Queue[]): string[] {
  if (queues.length === 0) return [];
  const types = [...new Set(queues.map(({ type }) => type))].join(' and ');
  const unacknowledged = queues.reduce((sum, queue) => sum + queue.messages_unacknowledged, 0);
  const policies = new Set(queues.flatMap(({ policy }) => policy || []));
  return [
    `${queues.length === 1 ? '' : `${queues.length} `}${types} queue${queues.length === 1 ? '' : 's'}, ${unacknowledged} unacknowledged`,
    ...[...policies].map((policy) => `policy ${policy}`),
  ];
}

function queueProblems(queue: Queue, nodes: number): string[] {
  const policy = Array.isArray(queue.effective_policy_definition) ? {} : (queue.effective_policy_definition ?? {});
  const loses = ['message-ttl', 'expires', 'delivery-limit'].filter(
    (key) => key in policy && !(key === 'delivery-limit' && policy[key] === -1),
  );
  const { members = [], online = [] } = queue;
  return [
    ...(queue.type === 'quorum'
      ? []
      : [`it is a ${queue.type} queue: drain it, delete it, and let the API make it anew`]),
    ...(loses.length > 0
      ? [
          `policy ${queue.policy ?? ''} sets ${loses.join(', ')}, by which accepted interactions are lost: take it off this queue`,
        ]
      : []),
    ...(queue.type === 'quorum' && online.length < members.length
      ? [`${online.length} of ${members.length} members are online: start the missing nodes`]
      : []),
    ...(queue.type === 'quorum' && nodes > 1 && members.length < Math.min(3, nodes)
      ? [`it has ${members.length} member on ${nodes} nodes: rabbitmq-queues grow NODE all`]
      : []),
  ];
}

/** Null: there is no such thing. */
async function get(base: string, path: string): Promise<unknown> {
  const url = new URL(base);
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  url.pathname = `${url.pathname.replace(/\/$/, '')}/api/${path}`;
  const response = await fetch(url, {
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`answers ${response.status}`);
  return response.json();
}
