import type { UserError } from '../items/user-error.ts';
import type { ViewerEraser } from './eraser.ts';
import type { PendingWrites } from './pending-writes.ts';
import { viewerKeyOf, type ViewerIdentity } from './viewer-key.ts';

export type EraseViewerResult =
  | { readonly ok: true; readonly erasedInteractions: number }
  | { readonly ok: false; readonly userErrors: UserError[] };

/** Erases a person everywhere. Can be repeated after a failure. @throws UnavailableError */
export type EraseViewer = (whom: {
  readonly userId?: string | null;
  readonly deviceId?: string | null;
}) => Promise<EraseViewerResult>;

export function createEraseViewer(options: {
  readonly eraser: ViewerEraser;
  readonly pending: Pick<PendingWrites, 'erase'>;
}): EraseViewer {
  return async ({ userId = null, deviceId = null }) => {
    const identity = identityOf(userId, deviceId);
    if (identity === null) {
      const message = 'Give exactly one of userId and deviceId.';
      return { ok: false, userErrors: [{ code: 'EXACTLY_ONE_VIEWER', field: ['userId'], message }] };
    }
    const viewer = viewerKeyOf(identity);
    try {
      const { interactions } = await options.eraser.erase(viewer);
      return { ok: true, erasedInteractions: interactions };
    } finally {
      await options.pending.erase(viewer);
    }
  };
}

/** Null unless exactly one is given. An empty id names nobody, and yet it was given: erasing cannot be undone. */
function identityOf(userId: string | null, deviceId: string | null): ViewerIdentity | null {
  if (userId !== null && deviceId !== null) return null;
  if (userId) return { userId };
  return deviceId ? { deviceId } : null;
}
