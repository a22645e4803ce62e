import {
  GraphQLError,
  Kind,
  OperationTypeNode,
  type DocumentNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/**
 * What any one document may hold. Checked before graphql-js validates: its rule on overlapping fields compares every pair
 * of fields and of fragments that meet in one place, so that 2,000 tokens of one repeated field took it 180 ms, 50
 * fragments in one place 250 ms, and fragments that spread fragments double at each step.
 */
const MAX_DEFINITIONS = 50;
/** As written, and again after fragments are spread. */
const MAX_SELECTIONS = 500;
const MAX_SELECTIONS_PER_SET = 60;
const MAX_FRAGMENTS_IN_ONE_PLACE = 15;
const MAX_ROOT_FIELDS = 20;
const MAX_ALIASES = 30;
/** Of the same field in one place, summed over the document. */
const MAX_REPETITIONS = 30;
const MAX_DIRECTIVES = 30;
/** Of selection sets as written; graphql-depth-limit bounds fields after fragments are spread. */
const MAX_NESTING = 30;

/** Where fields are merged: the selections of a field, an operation or a fragment, inline fragments included. */
interface Place {
  fields: number;
  readonly names: Set<string>;
  readonly spreads: string[];
}

interface Definition {
  readonly isOperation: boolean;
  readonly root: Place;
  readonly places: Place[];
  selections: number;
}

interface Totals {
  aliases: number;
  directives: number;
  repetitions: number;
  selections: number;
}

/** What the document has too much of, or null. Linear in its size; unknown fragments and cycles are left to validation. */
export function checkDocumentBounds(document: DocumentNode): GraphQLError | null {
  try {
    checkSpreads(readDefinitions(document));
    return null;
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    throw error;
  }
}

export function tooMany(what: string, max: number): GraphQLError {
  return new GraphQLError(`The document has too many ${what}: at most ${max} are allowed.`);
}

function limit(count: number, max: number, what: string): void {
  if (count > max) throw tooMany(what, max);
}

function readDefinitions(document: DocumentNode): Map<string, Definition> {
  limit(document.definitions.length, MAX_DEFINITIONS, 'definitions');
  const totals: Totals = { aliases: 0, directives: 0, repetitions: 0, selections: 0 };
  const definitions = new Map<string, Definition>();
  for (const [index, node] of document.definitions.entries()) {
    const isOperation = node.kind === Kind.OPERATION_DEFINITION;
    if (!isOperation && node.kind !== Kind.FRAGMENT_DEFINITION) continue;
    if (isOperation && node.operation === OperationTypeNode.SUBSCRIPTION) {
      // Without a subscription type graphql-js finds no fault before it executes, and then answers 200.
      throw new GraphQLError('Subscriptions are not supported.');
    }
    if (isOperation && node.name?.value === '__proto__') {
      // graphql-depth-limit would set the prototype of the object that it keeps operations in, and throw.
      throw new GraphQLError('An operation cannot be named __proto__.');
    }
    totals.directives += node.directives?.length ?? 0;
    const root = newPlace();
    const definition: Definition = { isOperation, root, places: [root], selections: 0 };
    readSet(node.selectionSet, 1, root, definition, totals);
    // A number is no name of a fragment.
    definitions.set(isOperation ? String(index) : node.name.value, definition);
  }
  return definitions;
}

function newPlace(): Place {
  return { fields: 0, names: new Set(), spreads: [] };
}

function readSet(set: SelectionSetNode, nesting: number, place: Place, definition: Definition, totals: Totals): void {
  limit(nesting, MAX_NESTING, 'levels');
  limit(set.selections.length, MAX_SELECTIONS_PER_SET, 'selections in one place');
  definition.selections += set.selections.length;
  totals.selections += set.selections.length;
  limit(totals.selections, MAX_SELECTIONS, 'selections');
  for (const selection of set.selections) {
    totals.directives += selection.directives?.length ?? 0;
    limit(totals.directives, MAX_DIRECTIVES, 'directives');
    const inner = readSelection(selection, place, definition, totals);
    if (inner !== null && 'selectionSet' in selection && selection.selectionSet !== undefined) {
      readSet(selection.selectionSet, nesting + 1, inner, definition, totals);
    }
  }
}

/** Gives the place that the selections within it belong to. */
function readSelection(selection: SelectionNode, place: Place, definition: Definition, totals: Totals): Place | null {
  if (selection.kind === Kind.INLINE_FRAGMENT) return place;
  if (selection.kind === Kind.FRAGMENT_SPREAD) {
    place.spreads.push(selection.name.value);
    return null;
  }
  place.fields += 1;
  if (selection.alias !== undefined) totals.aliases += 1;
  limit(totals.aliases, MAX_ALIASES, 'aliases');
  const name = (selection.alias ?? selection.name).value;
  if (place.names.has(name)) totals.repetitions += 1;
  limit(totals.repetitions, MAX_REPETITIONS, 'repeated fields');
  place.names.add(name);
  if (selection.selectionSet === undefined) return null;
  const inner = newPlace();
  definition.places.push(inner);
  return inner;
}

function checkSpreads(definitions: ReadonlyMap<string, Definition>): void {
  const known = new Map<string, { readonly selections: number; readonly rootFields: number }>();
  for (const definition of definitions.values()) {
    for (const place of definition.places) {
      limit(fragmentsIn(place, definitions).size, MAX_FRAGMENTS_IN_ONE_PLACE, 'fragments in one place');
    }
    if (!definition.isOperation) continue;
    const { selections, rootFields } = expand(definition, definitions, known);
    limit(selections, MAX_SELECTIONS, 'selections after fragments are spread');
    limit(rootFields, MAX_ROOT_FIELDS, 'root fields');
  }
}

/** The fragments whose fields are merged in one place, those that fragments there spread at their root included. */
function fragmentsIn(place: Place, definitions: ReadonlyMap<string, Definition>): ReadonlySet<string> {
  const found = new Set(place.spreads);
  // A set is walked in the order of insertion, what is added on the way included.
  for (const name of found) {
    for (const inner of definitions.get(name)?.root.spreads ?? []) found.add(inner);
  }
  return found;
}

function expand(
  definition: Definition,
  definitions: ReadonlyMap<string, Definition>,
  known: Map<string, { readonly selections: number; readonly rootFields: number }>,
): { readonly selections: number; readonly rootFields: number } {
  let { selections } = definition;
  let rootFields = definition.root.fields;
  for (const place of definition.places) {
    for (const name of place.spreads) {
      const fragment = definitions.get(name);
      if (fragment === undefined) continue;
      let total = known.get(name);
      if (total === undefined) {
        // Stands while the fragment is being counted, so that a cycle ends; validation names the cycle.
        known.set(name, { selections: 0, rootFields: 0 });
        total = expand(fragment, definitions, known);
        known.set(name, total);
      }
      selections += total.selections;
      if (place === definition.root) rootFields += total.rootFields;
    }
  }
  return { selections, rootFields };
}
