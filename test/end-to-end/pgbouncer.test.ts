import { describeSystem } from './suite.ts';
import { startOnServers } from './system.ts';

describeSystem('through PgBouncer in transaction mode', () => startOnServers({ pgbouncer: true }));
