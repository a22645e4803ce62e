import { buildSchema, isEnumType, isInputObjectType, isObjectType, isSpecifiedDirective } from 'graphql';
import { expect, it } from 'vitest';
import { INTERACTION_TYPES, REACTION_TYPES } from '../../interactions/interaction.ts';
import { POPULARITY_WINDOWS } from '../../popularity/ranking.ts';
import { loadSchemaText } from './load-schema.ts';

const schema = buildSchema(loadSchemaText());

it('every type, directive, field, argument, input field and enum value has a description', () => {
  const bare: string[] = [];
  const check = (path: string, { description }: { readonly description?: string | null | undefined }): void => {
    if (!description?.trim()) bare.push(path);
  };
  const own = Object.values(schema.getTypeMap()).filter(({ astNode }) => astNode !== undefined && astNode !== null);
  for (const type of own) {
    check(type.name, type);
    if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value);
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) check(`${type.name}.${field.name}`, field);
    }
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      check(`${type.name}.${field.name}`, field);
      for (const argument of field.args) check(`${type.name}.${field.name}(${argument.name})`, argument);
    }
  }
  const directives = schema.getDirectives().filter((directive) => !isSpecifiedDirective(directive));
  for (const directive of directives) {
    check(`@${directive.name}`, directive);
    for (const argument of directive.args) check(`@${directive.name}(${argument.name})`, argument);
  }
  expect(own.length).toBeGreaterThan(30);
  expect(directives.length).toBeGreaterThan(0);
  expect(bare).toEqual([]);
});

it('the enums have the values, and the order, that the code knows', () => {
  const valuesOf = (name: string): string[] => {
    const type = schema.getType(name);
    return isEnumType(type) ? type.getValues().map((value) => value.name) : [];
  };
  expect(valuesOf('InteractionType')).toEqual(INTERACTION_TYPES);
  expect(valuesOf('ReactionType')).toEqual(REACTION_TYPES);
  expect(valuesOf('PopularityWindow')).toEqual(POPULARITY_WINDOWS);
});
