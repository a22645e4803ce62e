import type { ViewerKey } from './viewer-key.ts';

export interface ErasedViewer {
  /** Recorded interactions that were deleted. */
  readonly interactions: number;
}

export interface ViewerEraser {
  /**
   * Writes the tombstone first, so that what is still in flight is discarded, then deletes in chunks the viewer's rows,
   * reactions and rejected messages and takes their share out of the rollups. Can be repeated after a failure.
   */
  erase(viewer: ViewerKey): Promise<ErasedViewer>;
}
