const ATTEMPTS = 4;
const FIRST_RETRY_MS = 250;
const TIMEOUT_MS = 10_000;

/** Worth another try: the service was away or busy, or nothing came back. The client's own faults are not. */
class RetryableError extends Error {}

/**
 * Reads go as persisted queries by GET, so that browsers and proxies can keep them: the hash first, and the text only when
 * the server does not know it yet. Writes go by POST, each with an id of its own, so that a retry counts once.
 */
export function graphqlClient({ url, deviceId }) {
  const mine = { 'x-device-id': deviceId };

  return {
    /** What is the same for everybody: says nothing of who asks. `fresh`: past every cache on the way, after a write. */
    read: (query, variables, { fresh = false } = {}) =>
      withRetries(() => persistedGet(query, variables, {}, fresh ? 'no-cache' : 'default')),
    /** What depends on who asks. */
    readOwn: (query, variables) => withRetries(() => persistedGet(query, variables, mine, 'default')),
    /** `input.id` is a UUIDv7. The header tells the proxy that it may send this again as well. */
    write: (query, input) =>
      withRetries(() => post({ query, variables: { input } }, { ...mine, 'idempotency-key': input.id })),
  };

  async function persistedGet(query, variables, headers, cache) {
    // Hashing is for secure contexts alone: HTTPS, and HTTP on this machine.
    if (!crypto.subtle) return post({ query, variables }, headers);
    const parameters = {
      variables: JSON.stringify(variables),
      extensions: JSON.stringify({ persistedQuery: { version: 1, sha256Hash: await sha256(query) } }),
    };
    const get = (sent) =>
      answerTo(`${url}?${new URLSearchParams(sent)}`, {
        cache,
        headers: { ...headers, 'apollo-require-preflight': 'true' },
      });
    const known = await get(parameters);
    const isUnknown = known.errors?.some(({ extensions }) => extensions?.code === 'PERSISTED_QUERY_NOT_FOUND');
    return dataOf(isUnknown ? await get({ ...parameters, query }) : known);
  }

  async function post(body, headers) {
    const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' } };
    return dataOf(await answerTo(url, { ...init, body: JSON.stringify(body) }));
  }
}

async function answerTo(url, init) {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((error) => {
    throw new RetryableError('no answer', { cause: error });
  });
  if (response.status === 429 || response.status >= 500) throw new RetryableError(`the server said ${response.status}`);
  return response.json();
}

function dataOf({ data, errors }) {
  if (errors) throw new Error(errors[0].message);
  return data;
}

async function withRetries(attempt) {
  for (let failed = 1; ; failed += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof RetryableError) || failed === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, FIRST_RETRY_MS * 2 ** failed * Math.random()));
    }
  }
}

async function sha256(text) {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return hex(new Uint8Array(hash));
}

/** RFC 9562: 48 bits of milliseconds, the version, then chance. */
export function uuidv7() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setBigUint64(
    0,
    (BigInt(Date.now()) << 16n) | 0x7000n | (BigInt(bytes[6] & 15) << 8n) | BigInt(bytes[7]),
  );
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
