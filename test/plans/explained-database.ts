import type { Database, Transaction } from '../../src/adapters/postgres/prisma-database.ts';
import { Prisma, type PrismaClient } from '../../src/adapters/generated/prisma/client.ts';

export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** The database, but every raw statement is explained before it runs; the plans' nodes gather in `nodes`. */
export function explainedDatabase(database: Database, nodes: PlanNode[]): Database {
  async function explain(client: Transaction, statement: Prisma.Sql): Promise<void> {
    const rows = await client.$queryRaw<{ 'QUERY PLAN': { Plan: PlanNode }[] }[]>(
      Prisma.sql`EXPLAIN (FORMAT JSON) ${statement}`,
    );
    for (const row of rows) for (const { Plan } of row['QUERY PLAN']) collect(Plan, nodes);
  }

  function watched<C extends Transaction>(client: C): C {
    return new Proxy(client, {
      get(target, property, receiver) {
        const method: unknown = Reflect.get(target, property, receiver);
        if ((property !== '$queryRaw' && property !== '$executeRaw') || typeof method !== 'function') return method;
        return async (query: TemplateStringsArray | Prisma.Sql, ...values: unknown[]): Promise<unknown> => {
          const statement = query instanceof Prisma.Sql ? query : Prisma.sql(query, ...values);
          await explain(target, statement);
          return Reflect.apply(method, target, [statement]);
        };
      },
    });
  }

  const onPrimary = <T>(work: (client: PrismaClient) => Promise<T>): Promise<T> =>
    database.primary((client) => work(watched(client)));
  return {
    ...database,
    read: onPrimary,
    latest: onPrimary,
    primary: onPrimary,
    transaction: (work, timeoutMs) => database.transaction((tx) => work(watched(tx)), timeoutMs),
  };
}

function collect(node: PlanNode, into: PlanNode[]): void {
  into.push(node);
  for (const child of node.Plans ?? []) collect(child, into);
}
