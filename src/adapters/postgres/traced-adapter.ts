import type { SqlDriverAdapter, SqlDriverAdapterFactory, SqlQuery, Transaction } from '@prisma/driver-adapter-utils';
import { LRUCache } from 'lru-cache';
import type { SpanAttributes, Tracing } from '../../runtime/tracing.ts';
import { sqlState } from './postgres-errors.ts';

/** Of the text as it is sent: numbered placeholders in it, never a value. */
const MAX_TEXT = 2_000;
const MAX_KNOWN_TEXTS = 1_000;

interface Statement {
  readonly name: string;
  readonly attributes: SpanAttributes;
}

/** A span for each statement that is run for something traced. */
export function traceAdapter(factory: SqlDriverAdapterFactory, url: string, tracing: Tracing): SqlDriverAdapterFactory {
  const describe = createDescriber(url);

  async function traced<T>({ sql }: Pick<SqlQuery, 'sql'>, run: () => Promise<T>): Promise<T> {
    const span = tracing.current();
    if (span === null) return run();
    const { name, attributes } = describe(sql);
    return span.child('client', name, attributes, async (own) => {
      try {
        return await run();
      } catch (error) {
        const state = sqlState(error);
        if (state !== undefined) own.set({ 'db.response.status_code': state });
        throw error;
      }
    });
  }

  function tracedTransaction(tx: Transaction): Transaction {
    const { createSavepoint, rollbackToSavepoint, releaseSavepoint } = tx;
    return {
      provider: tx.provider,
      adapterName: tx.adapterName,
      options: tx.options,
      queryRaw: (query) => traced(query, () => tx.queryRaw(query)),
      // COMMIT and ROLLBACK come here too.
      executeRaw: (query) => traced(query, () => tx.executeRaw(query)),
      commit: () => tx.commit(),
      rollback: () => tx.rollback(),
      ...(createSavepoint === undefined ? {} : { createSavepoint: createSavepoint.bind(tx) }),
      ...(rollbackToSavepoint === undefined ? {} : { rollbackToSavepoint: rollbackToSavepoint.bind(tx) }),
      ...(releaseSavepoint === undefined ? {} : { releaseSavepoint: releaseSavepoint.bind(tx) }),
    };
  }

  const tracedAdapter = (adapter: SqlDriverAdapter): SqlDriverAdapter => ({
    provider: adapter.provider,
    adapterName: adapter.adapterName,
    queryRaw: (query) => traced(query, () => adapter.queryRaw(query)),
    executeRaw: (query) => traced(query, () => adapter.executeRaw(query)),
    executeScript: (script) => adapter.executeScript(script),
    // Waiting for a connection is part of it.
    startTransaction: (level) =>
      traced({ sql: 'BEGIN' }, async () => tracedTransaction(await adapter.startTransaction(level))),
    ...(adapter.getConnectionInfo === undefined ? {} : { getConnectionInfo: adapter.getConnectionInfo.bind(adapter) }),
    dispose: () => adapter.dispose(),
  });

  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    connect: async () => tracedAdapter(await factory.connect()),
  };
}

function createDescriber(url: string): (sql: string) => Statement {
  const known = new LRUCache<string, Statement>({ max: MAX_KNOWN_TEXTS });
  const { hostname, port, pathname } = new URL(url);
  const where = {
    'db.system.name': 'postgresql',
    'db.namespace': pathname.slice(1),
    'server.address': hostname,
    'server.port': port === '' ? 5_432 : Number(port),
  };
  return (sql) => {
    const found = known.get(sql);
    if (found !== undefined) return found;
    const summary = summaryOf(sql);
    const text = sql.replaceAll(/\s+/g, ' ').trim().slice(0, MAX_TEXT);
    const statement = { name: summary, attributes: { ...where, 'db.query.summary': summary, 'db.query.text': text } };
    known.set(sql, statement);
    return statement;
  };
}

/** What a statement does to which table: the first it writes to, whatever it begins with, or else the first it reads. */
export function summaryOf(sql: string): string {
  const [, written, target] = /\b(INSERT|UPDATE|DELETE)\s+(?:INTO\s+|FROM\s+)?([\w."]+)/i.exec(sql) ?? [];
  if (written !== undefined && target !== undefined) return `${written.toUpperCase()} ${target.replaceAll('"', '')}`;
  const verb = /[a-z]+/i.exec(sql)?.[0].toUpperCase() ?? 'SQL';
  const read = /\bFROM\s+([a-z_"][\w."]*)/i.exec(sql)?.[1];
  return read === undefined ? verb : `${verb} ${read.replaceAll('"', '')}`;
}
