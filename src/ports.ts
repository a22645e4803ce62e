import type { TextCache } from './cache/cache.ts';
import type { ViewerEraser } from './interactions/eraser.ts';
import type { InteractionReader } from './interactions/interaction-reader.ts';
import type { Maintenance } from './interactions/maintenance.ts';
import type { PendingWrites } from './interactions/pending-writes.ts';
import type { DeliverySource, InteractionQueue } from './interactions/queue.ts';
import type { InteractionRecorder } from './interactions/recorder.ts';
import type { RejectedStore } from './interactions/rejected-store.ts';
import type { WriteProgressReader } from './interactions/write-progress.ts';
import type { ItemStore } from './items/item-store.ts';
import type { PopularityReader } from './popularity/popularity-reader.ts';
import type { RankingStore } from './popularity/ranking.ts';
import type { StandingsRefresher } from './popularity/standings.ts';

/** A part that can be asked whether it works. */
export interface ReadinessProbe {
  readonly name: string;
  /** Without it the process cannot do its work; the others only make it slower. */
  readonly required: boolean;
  /** Resolves to null when well, else to what is wrong, in words for an operator, no secrets. Never rejects. */
  check(): Promise<string | null>;
}

/** All that the API and the worker need of the world outside, chosen by URL scheme in wiring.ts. */
export interface Ports {
  readonly queue: InteractionQueue;
  readonly recorder: InteractionRecorder;
  readonly interactions: InteractionReader;
  readonly progress: WriteProgressReader;
  readonly pending: PendingWrites;
  readonly rejected: RejectedStore;
  readonly eraser: ViewerEraser;
  readonly items: ItemStore;
  readonly rankings: RankingStore;
  readonly popularity: PopularityReader;
  readonly standings: StandingsRefresher;
  readonly maintenance: Maintenance;
  readonly cache: TextCache;
  /** Makes the worker's ends of the queue; one call per worker. */
  createSources(): DeliverySource[];
  readonly probes: readonly ReadinessProbe[];
  close(): Promise<void>;
}
