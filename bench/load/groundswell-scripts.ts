import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ITEMS } from './history.ts';
import type { LoadedSystem } from './loaded-system.ts';
import { LUA_IDS } from './wrk-scripts.ts';

const READ = `query Saturation { popularItems(first: 20) { nodes { rank people item { id title category imageUrl } } } }`;
const WRITE = `mutation Saturation($input: RecordInteractionInput!) { recordInteraction(input: $input) { interaction { id } userErrors { code } } }`;

/** For wrk: the cached list by GET with its hash, and one view of an item after another. */
export function groundswellScripts(folder: string): LoadedSystem['saturation'] {
  const sha256Hash = createHash('sha256').update(READ).digest('hex');
  const extensions = JSON.stringify({ persistedQuery: { version: 1, sha256Hash } });
  const pathOf = (parameters: Record<string, string>): string =>
    `/graphql?${new URLSearchParams(parameters).toString()}`;
  const readScript = join(folder, 'groundswell-read.lua');
  const writeScript = join(folder, 'groundswell-write.lua');
  writeFileSync(
    readScript,
    `wrk.path = [[${pathOf({ extensions })}]]\nwrk.headers["apollo-require-preflight"] = "true"\nwrk.headers["accept"] = "application/json"\n`,
  );
  writeFileSync(
    writeScript,
    `${LUA_IDS}local body = [[{"query":${JSON.stringify(WRITE)},"variables":{"input":{"itemId":"item-%d","type":"VIEW","id":"%s"}}}]]
function request()
  local headers = { ["content-type"] = "application/json", accept = "application/json", ["x-device-id"] = device() }
  return wrk.format("POST", "/graphql", headers, format(body, random(${ITEMS}), uuid7()))
end
`,
  );
  return {
    readScript,
    writeScript,
    // Registers the text under its hash.
    firstRead: pathOf({ extensions, query: READ }),
  };
}
