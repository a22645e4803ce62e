// Prints the manifest of the operations beside it, in the form of Apollo's own tools for web, iOS and Kotlin:
//   node examples/mobile/write-manifest.mjs > examples/mobile/persisted-query-manifest.json
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { Kind, parse, print } from 'graphql';

const folder = new URL('operations/', import.meta.url);

const operations = readdirSync(folder)
  .sort()
  .flatMap((file) => operationsOf(readFileSync(new URL(file, folder), 'utf8')));
console.log(JSON.stringify({ format: 'apollo-persisted-query-manifest', version: 1, operations }, null, 2));

function operationsOf(source) {
  const document = parse(source);
  const body = print(document);
  const id = createHash('sha256').update(body).digest('hex');
  return document.definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION
      ? [{ id, name: definition.name?.value ?? null, type: definition.operation, body }]
      : [],
  );
}
