import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { LRUCache } from 'lru-cache';
import { badRequest, unauthenticated } from '../http/http-error.ts';
import { createTokenVerifier, type TokenOptions } from './token-verifier.ts';
import type { Identity } from '../request-context.ts';
import { deviceIdentity, isViewerId, NOBODY, userIdentity } from './viewer-identity.ts';

export type AuthOptions = TokenOptions | { readonly kind: 'development' };

export interface Identifier {
  /**
   * Throws, or rejects with, HttpError: 400 for a bad id, 401 UNAUTHENTICATED for a bad token, 503 when keys cannot be
   * fetched. A plain value in the common case, so that no request waits for a microtask it does not need.
   */
  identify(headers: IncomingHttpHeaders): Identity | Promise<Identity>;
}

const MAX_USER_ID = 256;
const MAX_DEVICE_ID = 128;

export function createIdentifier(options: AuthOptions): Identifier {
  const devices = new LRUCache<string, Identity>({ max: 20_000 });
  const verifier = options.kind === 'development' ? null : createTokenVerifier(options);

  function identifyDevice(header: string | string[] | undefined): Identity {
    if (header === undefined) return NOBODY;
    const raw = String(header);
    let identity = devices.get(raw);
    if (identity === undefined) {
      const deviceId = headerText('x-device-id', raw, MAX_DEVICE_ID);
      identity = deviceIdentity(deviceId);
      devices.set(raw, identity);
    }
    return identity;
  }

  function identifyDeveloper(headers: IncomingHttpHeaders): Identity {
    const user = headers['x-user-id'];
    const isAdmin = headers['x-user-role'] === 'admin';
    if (user === undefined) {
      const device = identifyDevice(headers['x-device-id']);
      return isAdmin ? { ...device, isAdmin } : device;
    }
    return userIdentity(headerText('x-user-id', String(user), MAX_USER_ID), isAdmin);
  }

  return {
    identify(headers) {
      if (verifier === null) return identifyDeveloper(headers);
      const { authorization } = headers;
      if (authorization === undefined) return identifyDevice(headers['x-device-id']);
      const token = /^Bearer +([\w~+/.=-]+)$/i.exec(authorization)?.[1];
      if (token === undefined) throw unauthenticated('The Authorization header is not of the form `Bearer <token>`.');
      return verifier.verify(token);
    },
  };
}

/** Node reads headers as Latin-1; clients send UTF-8. */
function headerText(name: string, raw: string, maxLength: number): string {
  const bytes = Buffer.from(raw, 'latin1');
  if (!isUtf8(bytes)) throw badRequest(`The header ${name} is not UTF-8.`);
  const text = bytes.toString('utf8');
  if (!isViewerId(text, maxLength)) throw badRequest(`The header ${name} must have 1 to ${maxLength} characters.`);
  return text;
}
