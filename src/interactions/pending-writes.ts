import type { Interaction } from './interaction.ts';
import type { ViewerKey } from './viewer-key.ts';

/**
 * Accepted interactions for an hour, so that a viewer sees at once what the worker has not recorded yet. In Redis, or in
 * the process that accepted them. Best effort: an unreachable store loses the preview, never the interaction.
 */
export interface PendingWrites {
  /**
   * Resolves when a read here or in another process would see them, or after its deadline; with those that were not there
   * under their ids before, as far as is known. Never rejects.
   */
  add(interactions: readonly Interaction[]): Promise<readonly Interaction[]>;
  /** The viewer's, in no order, at most the newest 1,000; some may be recorded by now. Empty when the store is away. */
  ofViewer(viewer: ViewerKey): Promise<Interaction[]>;
  /** By id whoever sent it, or null. */
  find(id: string): Promise<Interaction | null>;
  /** Rejected ones no longer show. Never rejects. */
  remove(interactions: readonly Pick<Interaction, 'id' | 'viewer'>[]): Promise<void>;
  /** Forgets everything of one viewer. @throws UnavailableError */
  erase(viewer: ViewerKey): Promise<void>;
}
