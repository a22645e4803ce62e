import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { LRUCache } from 'lru-cache';
import { HttpError, unauthenticated } from '../http/http-error.ts';
import { isRecord } from '../../runtime/is-record.ts';
import type { Identity } from '../request-context.ts';
import { isViewerId, userIdentity } from './viewer-identity.ts';

interface ClaimChecks {
  readonly issuer: string | null;
  readonly audience: string | null;
}

export type TokenOptions =
  | ({ readonly kind: 'jwks'; readonly url: string } & ClaimChecks)
  | ({ readonly kind: 'secret'; readonly secret: string } & ClaimChecks);

export interface TokenVerifier {
  /** A plain value when the token was verified a moment ago. */
  verify(token: string): Identity | Promise<Identity>;
}

/** Never a symmetric one: HS256 with the public key as its secret would pass. */
const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const KEY_FETCH_COOLDOWN_MS = 30_000;
const KEY_FETCH_TIMEOUT_MS = 3_000;
/** After a failed fetch; jose itself waits only after one that succeeded. */
const KEY_FETCH_RETRY_MS = 1_000;
/** Keys older than this are fetched again, beside the requests. */
const KEYS_FRESH_MS = 600_000;
/** So long those that were fetched last are used while there are no others: their server may be away for a while. */
const KEYS_USABLE_MS = 3_600_000;
const REMEMBER_MS = 60_000;

export function createTokenVerifier(options: TokenOptions): TokenVerifier {
  const verified = new LRUCache<string, Identity>({ max: 10_000 });
  const verifyOptions: JWTVerifyOptions = {
    algorithms: options.kind === 'jwks' ? ASYMMETRIC : ['HS256'],
    requiredClaims: ['sub'],
    clockTolerance: 5,
    ...(options.issuer === null ? {} : { issuer: options.issuer }),
    ...(options.audience === null ? {} : { audience: options.audience }),
  };
  const payloadOf =
    options.kind === 'jwks' ? jwksPayload(options.url, verifyOptions) : secretPayload(options.secret, verifyOptions);

  async function verifyNow(token: string): Promise<Identity> {
    let payload: JWTPayload;
    try {
      payload = await payloadOf(token);
    } catch (error) {
      throw isTokenFault(error)
        ? unauthenticated('The token is not valid.')
        : new HttpError(503, 'AUTH_UNAVAILABLE', 'Tokens cannot be verified at the moment.', {
            cause: error,
            retryAfterSeconds: 1,
          });
    }
    const { sub, exp } = payload;
    if (typeof sub !== 'string' || !isViewerId(sub)) throw unauthenticated('The token has no usable `sub`.');
    const identity = userIdentity(sub, payload['role'] === 'admin');
    const ttl = exp === undefined ? REMEMBER_MS : Math.min(REMEMBER_MS, exp * 1_000 - Date.now());
    if (ttl > 0) verified.set(token, identity, { ttl });
    return identity;
  }

  return { verify: (token) => verified.get(token) ?? verifyNow(token) };
}

type PayloadOf = (token: string) => Promise<JWTPayload>;

function secretPayload(secret: string, options: JWTVerifyOptions): PayloadOf {
  const key = new TextEncoder().encode(secret);
  return async (token) => (await jwtVerify(token, key, options)).payload;
}

function jwksPayload(url: string, options: JWTVerifyOptions): PayloadOf {
  let failedAt = -Infinity;
  let fetchedAtMs = Infinity;
  const keys = createRemoteJWKSet(new URL(url), {
    cooldownDuration: KEY_FETCH_COOLDOWN_MS,
    timeoutDuration: KEY_FETCH_TIMEOUT_MS,
    cacheMaxAge: KEYS_USABLE_MS,
    [customFetch]: async (address, init) => {
      if (performance.now() - failedAt < KEY_FETCH_RETRY_MS) throw new Error('fetching keys failed a moment ago');
      try {
        const response = await fetch(address, init);
        if (!response.ok) throw new Error(`fetching keys was answered with ${response.status}`);
        // jose would find out too late to wait before the next fetch.
        if (!isKeySet(await response.clone().json())) throw new Error('fetching keys was answered with no set of keys');
        fetchedAtMs = Date.now();
        return response;
      } catch (error) {
        failedAt = performance.now();
        throw error;
      }
    },
  });
  return async (token) => {
    if (Date.now() - fetchedAtMs > KEYS_FRESH_MS) void keys.reload().catch(() => undefined);
    try {
      return (await jwtVerify(token, keys, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      // A token without `kid`: any of the keys may have signed it.
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, options)).payload;
        } catch (inner) {
          if (!(inner instanceof errors.JWSSignatureVerificationFailed)) throw inner;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  };
}

function isKeySet(body: unknown): boolean {
  return isRecord(body) && Array.isArray(body['keys']) && body['keys'].every(isRecord);
}

function isTokenFault(error: unknown): boolean {
  return (
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey
  );
}
