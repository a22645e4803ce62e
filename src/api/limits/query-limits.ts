import { GraphQLError, parse, type ValidationRule } from 'graphql';
import depthLimit from 'graphql-depth-limit';
import { LRUCache } from 'lru-cache';
import { createCostRule } from './cost-rule.ts';
import { checkDocumentBounds, tooMany } from './document-bounds.ts';

const MAX_TOKENS = 2_000;
/** Blanks and comments are no tokens. */
const MAX_CHARACTERS = 131_072;
const MAX_DEPTH = 10;
/** A page of 100 with every field of its items costs about 5,000. */
const MAX_COST = 20_000;

/** What ApolloServer takes. */
export interface ApolloLimits {
  readonly parseOptions: { readonly maxTokens: number };
  /** With it set, Apollo runs `validationRules` only on documents that are valid: depth-limit throws on others. */
  readonly maxRecursiveSelections: number;
  readonly validationRules: ValidationRule[];
  readonly validationOptions: { readonly maxErrors: number };
}

export const APOLLO_LIMITS: ApolloLimits = {
  parseOptions: { maxTokens: MAX_TOKENS },
  maxRecursiveSelections: 500,
  validationRules: [depthRule, createCostRule(MAX_COST)],
  // Each is an error object three times over: a hundred, where graphql-js would stop, took longer than all the rest.
  validationOptions: { maxErrors: 10 },
};

/** graphql-depth-limit gives back the context as its visitor; graphql-js wants a visitor. */
function depthRule(context: Parameters<ValidationRule>[0]): ReturnType<ValidationRule> {
  depthLimit(MAX_DEPTH)(context);
  return {};
}

export interface DocumentCheck {
  /** What is too large in the document, or null. Texts with syntax errors pass: Apollo names those. */
  check(source: string): GraphQLError | null;
}

/** Bounds documents before they are validated; texts that passed once are remembered. */
export function createDocumentCheck(): DocumentCheck {
  const passed = new LRUCache<string, true>({
    max: 5_000,
    maxSize: 10_000_000,
    sizeCalculation: (_, text) => text.length + 1,
  });
  return {
    check(source) {
      if (passed.get(source) !== undefined) return null;
      if (source.length > MAX_CHARACTERS) return tooMany('characters', MAX_CHARACTERS);
      let document;
      try {
        document = parse(source, { maxTokens: MAX_TOKENS, noLocation: true });
      } catch (error) {
        return isTokenLimit(error) ? tooMany('tokens', MAX_TOKENS) : null;
      }
      const fault = checkDocumentBounds(document);
      if (fault === null) passed.set(source, true);
      return fault;
    },
  };
}

/** graphql-js throws a syntax error for this too; nothing but its words tells them apart. */
function isTokenLimit(error: unknown): boolean {
  return error instanceof GraphQLError && error.message.endsWith(`${MAX_TOKENS} tokens. Parsing aborted.`);
}
