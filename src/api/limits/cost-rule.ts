import {
  getNamedType,
  getNullableType,
  GraphQLError,
  isCompositeType,
  isListType,
  isObjectType,
  Kind,
  type ArgumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** Lists without a size of their own hold about this many: counts by type, weights. */
const SHORT_LIST = 6;
/** What a list size given as a variable may be at most, for reads. */
const UNKNOWN_SIZE = 100;
const SIZE_ARGUMENTS: ReadonlySet<string> = new Set(['first', 'last', 'ids', 'inputs', 'items']);

/**
 * Bounds the values an answer can hold: each field counts one, times the sizes of the lists it stands in. A page's size is
 * its `first` (or the length of `ids`, `inputs`, `items`), and 100 where that is a variable.
 */
export function createCostRule(maxCost: number) {
  return (context: ValidationContext) => ({
    OperationDefinition(operation: { readonly selectionSet: SelectionSetNode; readonly operation: string }) {
      const schema = context.getSchema();
      const root =
        operation.operation === 'query'
          ? schema.getQueryType()
          : operation.operation === 'mutation'
            ? schema.getMutationType()
            : schema.getSubscriptionType();
      const cost = costOf(operation.selectionSet, root ?? undefined, false, context, new Set());
      if (cost > maxCost) {
        context.reportError(
          new GraphQLError(
            `The operation could return ${cost} values; at most ${maxCost} are allowed. Ask for shorter lists.`,
          ),
        );
      }
    },
  });
}

function costOf(
  set: SelectionSetNode,
  type: GraphQLNamedType | undefined,
  isSized: boolean,
  context: ValidationContext,
  spreading: Set<string>,
): number {
  let cost = 0;
  for (const selection of set.selections) {
    if (selection.kind === Kind.FIELD) {
      cost += costOfField(selection, type, isSized, context, spreading);
    } else if (selection.kind === Kind.INLINE_FRAGMENT) {
      const condition = selection.typeCondition;
      const inner = condition === undefined ? type : context.getSchema().getType(condition.name.value);
      cost += costOf(selection.selectionSet, inner, isSized, context, spreading);
    } else {
      const fragment: FragmentDefinitionNode | null | undefined = context.getFragment(selection.name.value);
      if (!fragment || spreading.has(selection.name.value)) continue;
      spreading.add(selection.name.value);
      const inner = context.getSchema().getType(fragment.typeCondition.name.value);
      cost += costOf(fragment.selectionSet, inner, isSized, context, spreading);
      spreading.delete(selection.name.value);
    }
  }
  return cost;
}

/** `isSized`: the field stands in a connection or payload whose size has been counted already. */
function costOfField(
  field: FieldNode,
  type: GraphQLNamedType | undefined,
  isSized: boolean,
  context: ValidationContext,
  spreading: Set<string>,
): number {
  const definition = isObjectType(type) ? type.getFields()[field.name.value] : undefined;
  // Introspection, whose size is the schema's.
  if (definition === undefined) return 1;
  const size = sizeArgument(field.arguments) ?? defaultSize(definition.args);
  const isList = isListType(getNullableType(definition.type));
  const times = size ?? (isList && !isSized ? SHORT_LIST : 1);
  const inner = getNamedType(definition.type);
  if (field.selectionSet === undefined || !isCompositeType(inner)) return times;
  const holdsPage = size !== undefined && !isList;
  return times * (1 + costOf(field.selectionSet, inner, holdsPage, context, spreading));
}

function sizeArgument(given: readonly ArgumentNode[] | undefined): number | undefined {
  const argument = given?.find(({ name }) => SIZE_ARGUMENTS.has(name.value));
  if (argument === undefined) return undefined;
  // More than any page holds is refused by name where it is used.
  if (argument.value.kind === Kind.INT) return Math.min(Math.max(1, Number(argument.value.value)), UNKNOWN_SIZE);
  if (argument.value.kind === Kind.LIST) return Math.max(1, argument.value.values.length);
  return UNKNOWN_SIZE;
}

function defaultSize(known: readonly { readonly name: string; readonly defaultValue?: unknown }[]): number | undefined {
  const argument = known.find(({ name }) => SIZE_ARGUMENTS.has(name));
  if (argument === undefined) return undefined;
  return typeof argument.defaultValue === 'number' ? argument.defaultValue : 1;
}
