/**
 * SQLSTATE classes and codes after which the same statement may succeed: connection, resources, operator intervention,
 * serialization, deadlock, lock timeout, read-only (a failover), a transaction that was aborted before, system errors.
 */
const TRANSIENT_SQLSTATE = /^(08|53|57|58|25006|25P02|40001|40P01|55P03|XX000)/;
/** Prisma's own: cannot reach, timed out, closed, pool exhausted, transaction not started or expired. */
const TRANSIENT_PRISMA = new Set([
  'P1000',
  'P1001',
  'P1002',
  'P1008',
  'P1011',
  'P1017',
  'P2024',
  'P2028',
  'P2034',
  'P2037',
]);
/**
 * The driver adapter's own: no connection, or none for us (a certificate that has expired, a password that was changed). Somebody has
 * to mend that, and then the same statement succeeds.
 */
const TRANSIENT_KINDS = new Set([
  'AuthenticationFailed',
  'ConnectionClosed',
  'DatabaseAccessDenied',
  'DatabaseDoesNotExist',
  'DatabaseNotReachable',
  'SocketTimeout',
  'TlsConnectionError',
  'TooManyConnections',
]);
const TRANSIENT_NODE = /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/;
const TRANSIENT_TEXT =
  /terminat(ed|ing)|timeout exceeded|Can't reach|not queryable|Server has closed|Connection ended|in recovery|not yet accepting|starting up|shutting down|server_login_retry|no more connections/i;

/** Whether the same may succeed later, by itself or once somebody has mended a server; else the statement or its rows are at fault. */
export function isTransient(error: unknown): boolean {
  if (partsOf(error).some(isTransientKind)) return true;
  for (const code of codesOf(error)) {
    if (TRANSIENT_PRISMA.has(code) || TRANSIENT_SQLSTATE.test(code) || TRANSIENT_NODE.test(code)) return true;
  }
  const state = sqlState(error);
  const says = (text: RegExp): boolean => messagesOf(error).some((message) => text.test(message));
  // Postgres reports EROFS, which is what a failed disk gives, under the code of insufficient privilege.
  if (state === '42501') return says(/Read-only file system/);
  return state === undefined && says(TRANSIENT_TEXT);
}

function isTransientKind({ kind }: Record<string, unknown>): boolean {
  return typeof kind === 'string' && TRANSIENT_KINDS.has(kind);
}

/** What the driver says of why there is no connection, such as what is wrong with a certificate. */
export function connectionFaultOf(error: unknown): string | undefined {
  for (const part of partsOf(error).filter(isTransientKind)) {
    for (const key of ['reason', 'originalMessage']) if (typeof part[key] === 'string') return part[key];
  }
  return undefined;
}

/** Prisma's own for values that it, or Postgres, cannot take: too long, out of range, NUL in text. */
const ROW_FAULTS_PRISMA = new Set(['P2000', 'P2005', 'P2006', 'P2020', 'P2023', 'P2033', 'P2039']);

/** Whether rows of the batch are at fault: data and constraint errors. */
export function isFaultOfRows(error: unknown): boolean {
  return /^2[23]/.test(sqlState(error) ?? '') || codesOf(error).some((code) => ROW_FAULTS_PRISMA.has(code));
}

/** The month of a row was dropped after it was seen made. Postgres tells it from a broken constraint in its words only. */
export function isMissingPartition(error: unknown): boolean {
  return (
    sqlState(error) === '23514' && messagesOf(error).some((message) => message.includes('no partition of relation'))
  );
}

/** A row with this key is there, or came while this one was written. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === '23505';
}

/** The five characters Postgres gave, wherever the driver adapter has put them. */
export function sqlState(error: unknown): string | undefined {
  return codesOf(error).find((code) => /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) && !/^P\d{4}$/.test(code));
}

function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (const part of partsOf(error)) {
    for (const key of ['originalCode', 'code']) {
      const value = part[key];
      if (typeof value === 'string') codes.push(value);
    }
  }
  return codes;
}

function messagesOf(error: unknown): string[] {
  return partsOf(error).flatMap((part) =>
    ['message', 'originalMessage'].flatMap((key) => (typeof part[key] === 'string' ? [part[key]] : [])),
  );
}

/** The error, its causes, and what Prisma hangs below `meta`. */
function partsOf(error: unknown, depth = 0): Record<string, unknown>[] {
  if (typeof error !== 'object' || error === null || depth > 6) return [];
  const part: Record<string, unknown> = {};
  for (const key of [
    'code',
    'originalCode',
    'kind',
    'reason',
    'message',
    'originalMessage',
    'cause',
    'meta',
    'driverAdapterError',
  ]) {
    if (key in error) part[key] = Reflect.get(error, key);
  }
  return [part, ...['cause', 'meta', 'driverAdapterError'].flatMap((key) => partsOf(part[key], depth + 1))];
}
