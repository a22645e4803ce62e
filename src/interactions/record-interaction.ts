import type { Span } from '../runtime/tracing.ts';
import type { KnownItems } from '../items/known-items.ts';
import type { UserError } from '../items/user-error.ts';
import type { Interaction } from './interaction.ts';
import { encodeMessage } from './message.ts';
import { parseInteraction, type ParsedInteraction, type RawInteraction } from './parse-interaction.ts';
import type { PendingWrites } from './pending-writes.ts';
import type { InteractionQueue, PublishOptions } from './queue.ts';
import type { ViewerKey } from './viewer-key.ts';

export type RecordInteractionResult = ParsedInteraction;

export interface RecordInteraction {
  /**
   * One result per input, in their order; each succeeds or fails alone. Resolves once all that are accepted are durable.
   * @throws UnavailableError nothing is known to be durable; trying again with the same ids is harmless
   */
  record(
    viewer: ViewerKey,
    inputs: readonly RawInteraction[],
    options?: PublishOptions,
  ): Promise<RecordInteractionResult[]>;
}

export interface RecordInteractionOptions {
  readonly queue: InteractionQueue;
  readonly pending: Pick<PendingWrites, 'add' | 'remove'>;
  readonly known: KnownItems;
  readonly maxAgeDays: number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Who had to wait for a Postgres that hangs is answered within a second all the same. */
const HUNG_ANSWER_MS = 900;

export function createRecordInteraction(options: RecordInteractionOptions): RecordInteraction {
  const { queue, pending, known, maxAgeDays, clock } = options;

  async function accept(interactions: readonly Interaction[], options: PublishOptions): Promise<void> {
    const published = queue.publish(interactions.map(encodeMessage), options);
    // In parallel: the preview costs no time, and is taken back should the queue refuse. What was there before stays: it
    // was accepted, and is sent again.
    const previewed = pending.add(interactions);
    try {
      await published;
    } catch (error) {
      await pending.remove(await previewed);
      throw error;
    }
    await previewed;
  }

  function lookUp(itemIds: readonly string[], span: Span | null): Promise<ReadonlySet<string>> {
    const asked = (): Promise<ReadonlySet<string>> => known.lookUp(itemIds);
    return span === null ? asked() : span.child('client', 'look up items', {}, asked);
  }

  return {
    async record(viewer, inputs, options = {}) {
      const nowMs = clock();
      let { withinMs: leftMs = Infinity } = options;
      const results = inputs.map((input) => parseInteraction(input, viewer, nowMs, maxAgeDays));
      const unseen: string[] = [];
      for (const result of results) {
        if (result.ok && !known.has(result.interaction.itemId)) unseen.push(result.interaction.itemId);
      }
      if (unseen.length > 0) {
        const askedMs = performance.now();
        const visible = await lookUp(unseen, options.span ?? null);
        if (known.hangs()) leftMs = Math.min(leftMs, HUNG_ANSWER_MS - (performance.now() - askedMs));
        for (const [index, result] of results.entries()) {
          const input = inputs[index];
          if (!result.ok || input === undefined) continue;
          const { itemId } = result.interaction;
          if (!visible.has(itemId) && !known.has(itemId))
            results[index] = { ok: false, userErrors: [itemNotFound(input)] };
        }
      }
      const accepted: Interaction[] = [];
      for (const result of results) if (result.ok) accepted.push(result.interaction);
      if (accepted.length > 0) await accept(accepted, { ...options, withinMs: leftMs });
      return results;
    },
  };
}

function itemNotFound({ path }: RawInteraction): UserError {
  return { code: 'ITEM_NOT_FOUND', field: [...path, 'itemId'], message: 'There is no such item.' };
}
