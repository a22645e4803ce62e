// Prints `N passed, N failed, N skipped` from the JSON report of Vitest. Exits 1 unless some passed and none failed.
import { existsSync, readFileSync } from 'node:fs';

const [, , reportFile = ''] = process.argv;
const files = existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, 'utf8')).testResults : [];
const counts = { passed: 0, failed: 0, skipped: 0 };
for (const { status, assertionResults } of files) {
  for (const test of assertionResults) {
    if (test.status === 'passed') counts.passed += 1;
    else if (test.status === 'failed') counts.failed += 1;
    else counts.skipped += 1;
  }
  // A file that breaks outside its tests (an import, a hook) has no failed test to show for it.
  if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) counts.failed += 1;
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.passed > 0 && counts.failed === 0 ? 0 : 1;
