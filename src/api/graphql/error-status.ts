import type { GraphQLResponse } from '@apollo/server';

const STATUS: ReadonlyMap<unknown, number> = new Map([
  ['BAD_USER_INPUT', 400],
  ['UNAUTHENTICATED', 401],
  ['FORBIDDEN', 403],
  ['INTERACTION_REJECTED', 409],
  // As nginx counts them: nobody reads it.
  ['CLIENT_GONE', 499],
  ['INTERNAL_SERVER_ERROR', 500],
  ['SERVICE_UNAVAILABLE', 503],
  ['SERVICE_BUSY', 503],
  ['NOT_YET_RECORDED', 503],
]);

/** An answer without any data has the status of its worst error; one with some data is 200. */
export function setErrorStatus({ body, http }: GraphQLResponse<unknown>): void {
  if (body.kind !== 'single') return;
  const { data, errors } = body.singleResult;
  if (errors === undefined || (data !== null && data !== undefined)) return;
  for (const { extensions } of errors) {
    const status = STATUS.get(extensions?.['code']);
    if (status !== undefined && status > (http.status ?? 0)) http.status = status;
    const retryAfterSeconds = extensions?.['retryAfterSeconds'];
    if (typeof retryAfterSeconds === 'number') http.headers.set('retry-after', String(retryAfterSeconds));
  }
}
