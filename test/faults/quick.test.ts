import { testQuickRows } from './quick-rows.ts';
import { ROWS, TIMED_ROWS } from './scenarios/rows.ts';

testQuickRows(ROWS.filter((row) => !TIMED_ROWS.has(row)));
