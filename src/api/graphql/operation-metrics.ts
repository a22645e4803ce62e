import type { GraphQLRequestContextWillSendResponse } from '@apollo/server';
import { Kind, type GraphQLFormattedError, type OperationDefinitionNode } from 'graphql';
import type { Metrics } from '../../runtime/metrics.ts';
import type { ApiContext } from './context.ts';

/** What our own clients send: examples/ and locust/. Known without a manifest. */
export const OUR_OPERATIONS: ReadonlySet<string> = new Set([
  'Item',
  'Like',
  'PopularItems',
  'Record',
  'RecordInteraction',
  'RecordInteractions',
  'Retract',
  'RetractInteraction',
  'Unlike',
  'ViewerReactions',
]);
export const OTHER = 'other';
/** A manifest may list thousands; each name is some forty series in every process. */
const MAX_NAMES = 200;
const ACCEPTING = new Set(['recordInteraction', 'recordInteractions', 'retractInteraction']);
const OUR_FAULTS: ReadonlySet<unknown> = new Set(['INTERNAL_SERVER_ERROR', 'SERVICE_UNAVAILABLE', 'SERVICE_BUSY']);

export type OperationOutcome = 'ok' | 'refused' | 'partial' | 'fault';

/** `startedAtMs` on the clock of `performance`. */
export type OperationMetrics = (
  answered: GraphQLRequestContextWillSendResponse<ApiContext>,
  startedAtMs: number,
) => void;

/** The metrics of one operation, found once per document. */
interface Meter {
  /** The names it was made by: a reloaded manifest may name the operation. */
  readonly names: ReadonlySet<string>;
  readonly outcomes: Readonly<Record<OperationOutcome, { inc(): void }>>;
  readonly cached: { observe(seconds: number): void };
  readonly run: { observe(seconds: number): void };
}

/** The names that operations are told apart by; any other is `other`. `listed` gives those in the persisted manifests. */
export function createOperationLabels(listed: () => ReadonlySet<string>): (name: string | undefined) => string {
  const used = new Set(OUR_OPERATIONS);
  return (name) => {
    if (name === undefined) return OTHER;
    if (used.has(name)) return name;
    if (!listed().has(name) || used.size >= MAX_NAMES) return OTHER;
    used.add(name);
    return name;
  };
}

/**
 * Counts and times operations. The name is the one that the document gives the operation; where clients may send any
 * document, they may use a registered name for another one.
 */
export function createOperationMetrics(options: {
  readonly metrics: Pick<Metrics, 'operations' | 'operationDuration'>;
  /** The names in the persisted manifests, the same set until they change. */
  readonly listed: () => ReadonlySet<string>;
}): OperationMetrics {
  const { operations, operationDuration } = options.metrics;
  const meters = new WeakMap<OperationDefinitionNode, Meter>();
  const labelOf = createOperationLabels(options.listed);

  function makeMeter(operation: string, kind: string, names: ReadonlySet<string>): Meter {
    // A rate sees a counter grow only from a value that was there before.
    for (const outcome of ['partial', 'fault']) operations.inc({ operation, outcome }, 0);
    return {
      names,
      outcomes: {
        ok: operations.labels(operation, 'ok'),
        refused: operations.labels(operation, 'refused'),
        partial: operations.labels(operation, 'partial'),
        fault: operations.labels(operation, 'fault'),
      },
      cached: operationDuration.labels(operation, 'cached'),
      run: operationDuration.labels(operation, kind),
    };
  }

  const unknown = makeMeter(OTHER, 'read', new Set());

  function meterOf(operation: OperationDefinitionNode | null | undefined): Meter {
    if (operation === undefined || operation === null) return unknown;
    const names = options.listed();
    const known = meters.get(operation);
    if (known?.names === names) return known;
    const meter = makeMeter(labelOf(operation.name?.value), kindOf(operation), names);
    meters.set(operation, meter);
    return meter;
  }

  return ({ operation, response, metrics }, startedAtMs) => {
    if (response.body.kind !== 'single') return;
    const { data, errors } = response.body.singleResult;
    const meter = meterOf(operation);
    const outcome = errors === undefined ? 'ok' : outcomeOf(data, errors);
    meter.outcomes[outcome].inc();
    if (outcome === 'refused' || outcome === 'fault') return;
    const seconds = (performance.now() - startedAtMs) / 1_000;
    (metrics.responseCacheHit === true ? meter.cached : meter.run).observe(seconds);
  };
}

function outcomeOf(data: unknown, errors: readonly GraphQLFormattedError[]): OperationOutcome {
  if (!errors.some(({ extensions }) => OUR_FAULTS.has(extensions?.['code']))) return 'refused';
  return data === null || data === undefined ? 'fault' : 'partial';
}

function kindOf(operation: OperationDefinitionNode): string {
  if (operation.operation === 'query') return 'read';
  const [first] = operation.selectionSet.selections;
  return first?.kind === Kind.FIELD && ACCEPTING.has(first.name.value) ? 'accept' : 'admin';
}
