import { LRUCache } from 'lru-cache';
import type { Interaction } from '../interactions/interaction.ts';
import type { PendingWrites } from '../interactions/pending-writes.ts';
import type { ViewerKey } from '../interactions/viewer-key.ts';

const KEEP_MS = 3_600_000;
const MAX_PER_VIEWER = 1_000;
const MAX_INTERACTIONS = 100_000;
const MAX_CHARACTERS = 64 * 1024 * 1024;
/** What an interaction without metadata takes, about. */
const BASE_CHARACTERS = 256;

/** In the process that accepted them, bounded: the oldest make room. */
export function createMemoryPendingWrites(): PendingWrites {
  const idsByViewer = new Map<ViewerKey, Set<string>>();
  const byId = new LRUCache<string, Interaction>({
    max: MAX_INTERACTIONS,
    maxSize: MAX_CHARACTERS,
    ttl: KEEP_MS,
    sizeCalculation: ({ itemId, metadata }) =>
      BASE_CHARACTERS + itemId.length + (metadata === null ? 0 : JSON.stringify(metadata).length),
    dispose({ viewer }, id) {
      const ids = idsByViewer.get(viewer);
      ids?.delete(id);
      if (ids?.size === 0) idsByViewer.delete(viewer);
    },
  });

  /** Whether nothing was there under its id. */
  function put(interaction: Interaction): boolean {
    if (byId.has(interaction.id)) return false;
    byId.set(interaction.id, interaction);
    const ids = idsByViewer.get(interaction.viewer) ?? new Set();
    idsByViewer.set(interaction.viewer, ids.add(interaction.id));
    if (ids.size > MAX_PER_VIEWER) byId.delete(lowest(ids));
    return true;
  }

  return {
    async add(interactions) {
      return interactions.filter(put);
    },
    async ofViewer(viewer) {
      return [...(idsByViewer.get(viewer) ?? [])].flatMap((id) => byId.peek(id) ?? []);
    },
    async find(id) {
      return byId.peek(id) ?? null;
    },
    async remove(interactions) {
      for (const { id, viewer } of interactions) if (byId.peek(id)?.viewer === viewer) byId.delete(id);
    },
    async erase(viewer) {
      for (const id of idsByViewer.get(viewer) ?? []) byId.delete(id);
    },
  };
}

/** Ids sort by time. Only walked for a viewer with over 1,000 interactions in the hour. */
function lowest(ids: ReadonlySet<string>): string {
  let result = '';
  for (const id of ids) if (result === '' || id < result) result = id;
  return result;
}
