// Runs the tests, all or those the arguments name (they are Vitest's): npm test -- --project unit
import { generateClient } from './generate-client.mjs';

await generateClient();
process.argv.splice(2, 0, 'run');
await import('../node_modules/vitest/vitest.mjs');
