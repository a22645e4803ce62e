import { watch, type FSWatcher } from 'node:fs';
import type { Logger } from '../../runtime/logger.ts';
import { globRoot } from './glob-files.ts';
import { loadManifests, manifestsSignature, type ListedDocuments } from './manifests.ts';

export interface ManifestWatcher {
  /** What is listed now. */
  readonly current: () => ListedDocuments;
  close(): void;
}

/**
 * Loads the manifests, and again whenever a file changes: at once where the system tells, else within `pollMs`. A set that
 * does not load leaves the one before it in use and logs an error. @throws ManifestError when the first does not load
 */
export async function watchManifests(options: {
  readonly patterns: readonly string[];
  readonly logger: Logger;
  readonly pollMs?: number;
}): Promise<ManifestWatcher> {
  const { patterns, logger } = options;
  let signature = await manifestsSignature(patterns);
  let listed = await loadManifests(patterns);
  let isReloading = false;
  let isStale = false;
  logger.info({ documents: listed.bodies.size }, 'persisted query manifests loaded');
  if (patterns.length > 0 && listed.bodies.size === 0) logger.warn('the persisted query manifests list no operation');

  async function reload(): Promise<void> {
    isStale = true;
    if (isReloading) return;
    isReloading = true;
    while (isStale) {
      isStale = false;
      try {
        const found = await manifestsSignature(patterns);
        if (found === signature) continue;
        signature = found;
        // As for a file that is named: a folder that is away for a moment must not refuse every client.
        if (found === '') throw new Error('no file matches PERSISTED_QUERY_MANIFESTS any more');
        listed = await loadManifests(patterns);
        logger.info({ documents: listed.bodies.size }, 'persisted query manifests reloaded');
      } catch (error) {
        logger.error({ error }, 'persisted query manifests do not load; those before stay in use');
      }
    }
    isReloading = false;
  }

  const trigger = (): void => void reload();
  const timer = setInterval(trigger, options.pollMs ?? 2_000);
  timer.unref();
  const watchers: FSWatcher[] = [];
  for (const folder of new Set(patterns.map(globRoot))) {
    try {
      const watcher = watch(folder, { persistent: false }, trigger);
      // A folder that goes away; the poll follows it.
      watcher.on('error', () => watcher.close());
      watchers.push(watcher);
    } catch (error) {
      logger.warn({ error }, 'cannot watch for changes of persisted query manifests; looking regularly instead');
    }
  }
  return {
    current: () => listed,
    close() {
      clearInterval(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
