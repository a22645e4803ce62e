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
  return async ({ userId, deviceId }) => {
    const named: ViewerIdentity[] = [];
    if (userId) named.push({ userId });
    if (deviceId) named.push({ deviceId });
    const [identity] = named;
    if (identity === undefined || named.length > 1) {
      const message = 'Give exactly one of userId and deviceId.';
      return { ok: false, userErrors: [{ code: 'EXACTLY_ONE_VIEWER', field: ['userId'], message }] };
    }
    const viewer = viewerKeyOf(identity);
    const { interactions } = await options.eraser.erase(viewer);
    await options.pending.erase(viewer);
    return { ok: true, erasedInteractions: interactions };
  };
}
