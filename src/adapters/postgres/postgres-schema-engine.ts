import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

type SchemaEngineModule = typeof import('@prisma/schema-engine-wasm/schema_engine_bg');

/** What we use of it: its types come with the browser's, which this project does not include. */
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

/** The engine leaves the 10 s it has for its lock running once it has the lock: they would hold the process for as long. */
const ENGINE_TIMER = '__wbg_setTimeout_';

let loaded: Promise<SchemaEngineModule> | undefined;

/**
 * Prisma's schema engine as WebAssembly. The package's own entry imports the .wasm file as a module, which Node does only
 * behind a flag, so the instance is made here.
 */
export function loadSchemaEngine(): Promise<SchemaEngineModule> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<SchemaEngineModule> {
  const engine = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const path = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const imports: Record<string, unknown> = { ...engine };
  for (const name of Object.keys(imports)) {
    if (name.startsWith(ENGINE_TIMER))
      imports[name] = (run: () => void, ms: number): NodeJS.Timeout => setTimeout(run, ms).unref();
  }
  const bytes = await readFile(path.replace(/\.js$/, '.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': imports });
  engine.__wbg_set_wasm(instance.exports);
  const start = instance.exports['__wbindgen_start'];
  if (typeof start !== 'function') throw new Error('the schema engine has no start function');
  start();
  return engine;
}
