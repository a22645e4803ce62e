import type { Logger } from '../../runtime/logger.ts';
import type { Subscription } from './rabbitmq-subscription.ts';

/** After a partition began to be served here, and again while there is more than one: whether others should have some. */
const FIRST_LOOK_MS = 200;
const LOOK_EVERY_MS = 1_000;

export interface PartitionSharingOptions<S extends Subscription> {
  readonly partitions: readonly S[];
  /** How many workers consume them, this one included. */
  countWorkers(): Promise<number>;
  /** Leaves it, with nothing of it in hand, and stands at the end of its line again. */
  giveUp(partition: S): Promise<void>;
  readonly logger: Logger;
}

export interface PartitionSharing {
  /** One more is served here. */
  served(): void;
  /** Settles when it was given up and stands in line again; undefined where it is not being given up. */
  departureOf(partition: Subscription): Promise<void> | undefined;
  /** From here on nothing more is given up; what has begun goes on. */
  stop(): void;
}

/** The broker serves each partition to one worker for as long as that consumes it. So whoever is served more than its share gives some up. */
export function sharePartitions<S extends Subscription>(options: PartitionSharingOptions<S>): PartitionSharing {
  const { partitions, countWorkers, giveUp, logger } = options;
  const departures = new Map<Subscription, Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function lookIn(delayMs: number): void {
    if (stopped) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      look().catch((error: unknown) => {
        logger.debug({ error }, 'the partitions could not be shared out');
        lookIn(LOOK_EVERY_MS);
      });
    }, delayMs);
  }

  async function look(): Promise<void> {
    if (keptHere().length <= 1) return;
    const workers = await countWorkers();
    // Meanwhile another look may have begun to give some up, or all are being left.
    if (stopped) return;
    await Promise.all(beyondFairShare(keptHere(), { partitions: partitions.length, workers }).map(depart));
    lookIn(LOOK_EVERY_MS);
  }

  function keptHere(): readonly S[] {
    return partitions.filter((partition) => partition.activeSince !== null && !departures.has(partition));
  }

  async function depart(partition: S): Promise<void> {
    const departure = giveUp(partition);
    departures.set(partition, departure);
    await departure.finally(() => departures.delete(partition));
  }

  return {
    served: () => lookIn(FIRST_LOOK_MS),
    departureOf: (partition) => departures.get(partition),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Which to give up so that every worker can have its part: those that came last, as a newcomer is the more likely next in line. */
export function beyondFairShare<S extends Pick<Subscription, 'activeSince'>>(
  active: readonly S[],
  { partitions, workers }: { readonly partitions: number; readonly workers: number },
): readonly S[] {
  const share = Math.ceil(partitions / Math.max(1, workers));
  return active.toSorted((a, b) => (a.activeSince ?? 0) - (b.activeSince ?? 0)).slice(share);
}
