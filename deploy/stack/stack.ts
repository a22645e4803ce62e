import type { FinishedCommand } from '../../test/commands/run-command.ts';
import type { Member } from './member.ts';

export interface StackOptions {
  /** 2 if left out, as are workers and replicas. */
  readonly apis?: number;
  readonly workers?: number;
  /** Streaming replicas of Postgres; 0 to 8. */
  readonly replicas?: number;
  /** Prometheus and the exporters; true if left out. */
  readonly monitoring?: boolean;
  /** Changes Prometheus' own copy of deploy/prometheus, in the folder it is told. */
  readonly adjustPrometheus?: (directory: string) => void;
  /** On top of what every API and worker gets. */
  readonly env?: Readonly<Record<string, string>>;
  /** nginx puts no limits on clients of this machine: for loads. */
  readonly unlimited?: boolean;
  /** The loopback network to use if nobody has it, such as `127.10.0`; else any. */
  readonly network?: string;
  /** What `buildRelease` answered, to build once for several stacks. */
  readonly release?: string;
  /** Told what has just come up. */
  readonly onProgress?: (text: string) => void;
}

export interface ApiMember extends Member {
  readonly url: string;
  readonly metricsUrl: string;
}

export interface WorkerMember extends Member {
  readonly metricsUrl: string;
}

export interface Stack extends AsyncDisposable {
  /** nginx, through which clients come. */
  readonly url: string;
  /** Null without monitoring. */
  readonly prometheusUrl: string | null;
  readonly apis: readonly ApiMember[];
  readonly workers: readonly WorkerMember[];
  readonly nginx: Member;
  readonly pgbouncer: Member;
  readonly primary: Member;
  readonly replicas: readonly Member[];
  readonly rabbitmq: Member;
  readonly redis: Member;
  /** All of them, those above included. */
  readonly members: readonly Member[];
  /** The primary itself, past PgBouncer, as the owner of the database: for ledgers and recounts. */
  readonly databaseUrl: string;
  readonly replicaUrls: readonly string[];
  readonly pgbouncerUrl: string;
  /** PgBouncer's console, to look only: `show pools` and the like. */
  readonly pgbouncerConsoleUrl: string;
  readonly amqpUrl: string;
  readonly redisUrl: string;
  /** What commands are configured with; APIs and workers have the same, as users who may do less. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs one of the package's commands (`import`, `doctor`, ...) in that configuration, to its end. */
  run(command: string, args?: readonly string[]): Promise<FinishedCommand>;
  /** Signs somebody in, for a day. */
  token(userId: string, role?: 'admin'): Promise<string>;
  /** Ends every process and removes all data. Safe to call twice. */
  stop(): Promise<void>;
}
