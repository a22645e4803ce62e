import type { GraphQLRequestContextWillSendResponse } from '@apollo/server';
import {
  getDirectiveValues,
  getNamedType,
  isCompositeType,
  isObjectType,
  Kind,
  type ConstDirectiveNode,
  type DocumentNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import type { ApiContext } from './context.ts';

/** How long, and by whom, an answer may be kept. */
export interface CachePolicy {
  /** Seconds; 0: not at all. */
  readonly maxAge: number;
  readonly scope: 'PUBLIC' | 'PRIVATE';
}

interface Hint {
  readonly maxAge?: number;
  readonly scope?: 'PUBLIC' | 'PRIVATE';
  readonly inheritMaxAge?: boolean;
}

/**
 * For so long nginx may give an answer that is no longer fresh. With less, what is put together of parts loaded a moment before
 * the second began is kept by nobody, and asked for again and again.
 */
const NGINX_OVERSTAY_MS = 750;

const policies = new WeakMap<OperationDefinitionNode, CachePolicy>();

/**
 * What `@cacheControl` says of an operation, by Apollo's rules: the shortest age and the narrowest scope of its fields;
 * a root field, or a composite one, that says nothing has age 0. Apollo's own plugin finds it anew for each answer by
 * wrapping every resolver; here it is found once per document, fields under @skip and @include counting in any case.
 */
export function cachePolicyOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CachePolicy {
  const known = policies.get(operation);
  if (known !== undefined) return known;
  const policy = operation.operation === 'query' ? walkOperation(schema, document, operation) : NOT_AT_ALL;
  policies.set(operation, policy);
  return policy;
}

const NOT_AT_ALL: CachePolicy = { maxAge: 0, scope: 'PRIVATE' };

function walkOperation(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): CachePolicy {
  const fragments = new Map(
    document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  );
  const seen = new Set<string>();
  let maxAge = Number.POSITIVE_INFINITY;
  let scope: CachePolicy['scope'] = 'PUBLIC';

  function walk(selections: SelectionSetNode, parent: GraphQLObjectType, isRoot: boolean): void {
    for (const selection of selections.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        walk(selection.selectionSet, parent, isRoot);
      } else if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments.get(selection.name.value);
        if (fragment === undefined || seen.has(selection.name.value)) continue;
        seen.add(selection.name.value);
        walk(fragment.selectionSet, parent, isRoot);
      } else if (selection.name.value !== '__typename') {
        const field = parent.getFields()[selection.name.value];
        const type = field === undefined ? undefined : getNamedType(field.type);
        const hint = mergeHints(hintOf(schema, type), hintOf(schema, field), isCompositeType(type), isRoot);
        maxAge = Math.min(maxAge, hint.maxAge ?? Number.POSITIVE_INFINITY);
        if (hint.scope === 'PRIVATE') scope = 'PRIVATE';
        if (selection.selectionSet !== undefined && isObjectType(type)) walk(selection.selectionSet, type, false);
      }
    }
  }

  const root = schema.getQueryType();
  if (root === undefined || root === null) return NOT_AT_ALL;
  walk(operation.selectionSet, root, true);
  return { maxAge: Number.isFinite(maxAge) ? maxAge : 0, scope };
}

function mergeHints(ofType: Hint, ofField: Hint, isComposite: boolean, isRoot: boolean): Hint {
  const inherits = ofType.inheritMaxAge === true || (ofField.inheritMaxAge === true && ofType.maxAge === undefined);
  const scope = ofField.scope ?? ofType.scope;
  const maxAge = ofField.maxAge ?? ofType.maxAge ?? ((isComposite && !inherits) || isRoot ? 0 : undefined);
  return { ...(maxAge === undefined ? {} : { maxAge }), ...(scope === undefined ? {} : { scope }) };
}

interface Annotated {
  readonly astNode?: { readonly directives?: readonly ConstDirectiveNode[] } | null | undefined;
}

function hintOf(schema: GraphQLSchema, node: Annotated | undefined): Hint {
  const directive = schema.getDirective('cacheControl');
  const directives = node?.astNode?.directives;
  if (!directive || directives === undefined) return {};
  return getDirectiveValues(directive, { directives }) ?? {};
}

/** Gives an answer that was executed its policy. Without one an answer is not kept. In place of Apollo's cache control plugin. */
export function restrictCaching({ schema, document, operation, contextValue, overallCachePolicy }: Answered): void {
  if (document === undefined || operation?.operation !== 'query') return;
  const { maxAge, scope } = cachePolicyOf(schema, document, operation);
  overallCachePolicy.restrict({ maxAge: Math.min(maxAge, contextValue.freshness.ttlMs() / 1_000), scope });
}

/**
 * Says to caches outside what the policy is. Nothing but `X-Accel-Expires` tells nginx a moment, and that in seconds of the
 * clock, kept to their end: the last of them that does not end too late.
 */
export function setCacheControl({ response, overallCachePolicy }: Answered): void {
  const policy = overallCachePolicy.policyIfCacheable();
  const failed = response.body.kind !== 'single' || response.body.singleResult.errors !== undefined;
  const keep = policy !== null && policy.scope === 'PUBLIC' && policy.maxAge > 0 && !failed;
  // Whole seconds are the least that HTTP can say.
  response.http.headers.set(
    'cache-control',
    keep ? `public, max-age=${Math.ceil(policy.maxAge)}` : 'private, no-store',
  );
  if (!keep) return;
  const latest = Date.now() + policy.maxAge * 1_000 + NGINX_OVERSTAY_MS;
  response.http.headers.set('x-accel-expires', `@${Math.floor(latest / 1_000) - 1}`);
}

type Answered = GraphQLRequestContextWillSendResponse<ApiContext>;
