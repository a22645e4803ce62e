import { viewerKeyOf } from '../../interactions/viewer-key.ts';
import type { Identity } from '../request-context.ts';

const MAX_ID = 256;

export const NOBODY: Identity = { userId: null, deviceId: null, key: null, isAdmin: false };

export function userIdentity(userId: string, isAdmin: boolean): Identity {
  return { userId, deviceId: null, key: viewerKeyOf({ userId }), isAdmin };
}

export function deviceIdentity(deviceId: string): Identity {
  return { userId: null, deviceId, key: viewerKeyOf({ deviceId }), isAdmin: false };
}

/** Control characters and halves of surrogate pairs cannot be stored, or not be told apart when shown. */
export function isViewerId(text: string, maxLength: number = MAX_ID): boolean {
  return text.length > 0 && text.length <= maxLength && text.isWellFormed() && !/\p{Cc}/u.test(text);
}
