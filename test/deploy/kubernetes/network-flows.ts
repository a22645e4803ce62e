import { BlockList, isIP } from 'node:net';
import type { KubernetesObject } from './objects.ts';

type Labels = Readonly<Record<string, string>>;

/** Who sends or receives: a pod of a namespace, or an address outside the cluster. */
export type Party =
  | { readonly name: string; readonly namespace: string; readonly labels: Labels }
  | { readonly name: string; readonly address: string };

interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}
interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}
interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly port?: number; readonly endPort?: number }[];
}
interface PolicySpec {
  readonly podSelector: Selector;
  readonly policyTypes: readonly ('Ingress' | 'Egress')[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

/** Whether NetworkPolicies let `from` open a connection to `port` of `to`: the sender's side and the receiver's must both. */
export function letsThrough(policies: readonly KubernetesObject[], from: Party, to: Party, port: number): boolean {
  return sideAllows(policies, 'Egress', from, to, port) && sideAllows(policies, 'Ingress', to, from, port);
}

function sideAllows(
  policies: readonly KubernetesObject[],
  type: 'Ingress' | 'Egress',
  own: Party,
  other: Party,
  port: number,
): boolean {
  if ('address' in own) return true;
  const selecting = policies.flatMap(({ metadata, spec }) => {
    const policy = spec as PolicySpec;
    const selects = metadata.namespace === own.namespace && matches(policy.podSelector, own.labels);
    return selects && policy.policyTypes.includes(type) ? [{ policy, namespace: own.namespace }] : [];
  });
  // A pod that no policy selects takes and sends everything.
  if (selecting.length === 0) return true;
  return selecting.some(({ policy, namespace }) => {
    const rules = (type === 'Ingress' ? policy.ingress : policy.egress) ?? [];
    return rules.some((rule) => {
      const peers = type === 'Ingress' ? rule.from : rule.to;
      const meetsPeer = peers === undefined || peers.some((peer) => isPeer(peer, namespace, other));
      const meetsPort =
        rule.ports === undefined ||
        rule.ports.some(({ port: first = 0, endPort = first }) => port >= first && port <= endPort);
      return meetsPeer && meetsPort;
    });
  });
}

function isPeer({ podSelector, namespaceSelector, ipBlock }: Peer, ownNamespace: string, party: Party): boolean {
  if ('address' in party) {
    return (
      ipBlock !== undefined &&
      inBlock(ipBlock.cidr, party.address) &&
      !(ipBlock.except ?? []).some((cidr) => inBlock(cidr, party.address))
    );
  }
  if (ipBlock !== undefined) return false;
  const namespaceFits =
    namespaceSelector === undefined
      ? party.namespace === ownNamespace
      : matches(namespaceSelector, { 'kubernetes.io/metadata.name': party.namespace });
  return namespaceFits && (podSelector === undefined || matches(podSelector, party.labels));
}

export function matches({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      return (value !== undefined && values.includes(value)) === (operator === 'In');
    })
  );
}

function inBlock(cidr: string, address: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  if (isIP(network) !== 4) throw new Error(`${cidr} is no IPv4 block`);
  const list = new BlockList();
  list.addSubnet(network, Number(bits));
  return list.check(address);
}
