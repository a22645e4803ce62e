import type { ViewerKey } from '../../interactions/viewer-key.ts';
import { PublicError } from '../../runtime/errors.ts';
import type { ApiContext } from './context.ts';

/** @throws PublicError UNAUTHENTICATED */
export function requireWriter({ identity, useCases }: ApiContext): ViewerKey {
  if (identity.key === null) throw new PublicError('UNAUTHENTICATED', 'Sign in to do this.');
  if (identity.userId === null && !useCases.anonymousWrites) {
    throw new PublicError('UNAUTHENTICATED', 'Sign in to do this: devices may not record here.');
  }
  return identity.key;
}

/** @throws PublicError UNAUTHENTICATED, FORBIDDEN */
export function requireAdmin({ identity }: ApiContext): void {
  if (identity.isAdmin) return;
  if (identity.userId === null) throw new PublicError('UNAUTHENTICATED', 'Sign in to do this.');
  throw new PublicError('FORBIDDEN', 'Only admins may do this.');
}
