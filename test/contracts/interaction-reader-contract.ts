import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInteractionId, newInteractionIdAt } from '../../src/interactions/interaction-id.ts';
import type { FoundInteraction, InteractionReader, ReactionRow } from '../../src/interactions/interaction-reader.ts';
import type { Interaction } from '../../src/interactions/interaction.ts';
import type { RejectionReason } from '../../src/interactions/recorder.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';

export interface InteractionReaderUnderTest extends AsyncDisposable {
  readonly reader: InteractionReader;
  record(interactions: readonly Interaction[]): Promise<void>;
  reject(interaction: Interaction, reason: RejectionReason): Promise<void>;
}

/** Of what the contract records; `hidden` is a hidden item. */
export const READER_ITEMS = ['a', 'b', 'c', 'hidden'] as const;
const SECOND = 1_000;
const NOW = Date.now() - 60 * SECOND;

/** What every InteractionReader promises. */
export function interactionReaderContract(name: string, setup: () => Promise<InteractionReaderUnderTest>): void {
  describe(`${name}, as an interaction reader`, () => {
    let subject: InteractionReaderUnderTest;
    let reader: InteractionReader;
    beforeAll(async () => {
      subject = await setup();
      reader = subject.reader;
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());

    async function find(id: string, viewer: string | null): Promise<FoundInteraction | null> {
      return (await reader.find([id], viewer)).get(id) ?? null;
    }

    it('finds a recorded interaction for its viewer and for any, and nothing for another', async () => {
      const viewer = newViewer();
      const [view, retraction] = [at(viewer, 0, { metadata: { a: [1, null, 'é😀'] } }), at(viewer, 1, RETRACTED_LIKE)];
      await subject.record([view, retraction]);
      for (const interaction of [view, retraction]) {
        for (const whose of [viewer, null])
          expect(await find(interaction.id, whose)).toEqual({ status: 'RECORDED', interaction });
        expect(await find(interaction.id, newViewer())).toBeNull();
      }
      expect(await find(newInteractionId(), null)).toBeNull();
      expect([...(await reader.find([view.id, newInteractionId(), retraction.id], viewer)).keys()].toSorted()).toEqual([
        view.id,
        retraction.id,
      ]);
    });

    it('finds a rejected one with its reason, and the recorded one where an id was used for both', async () => {
      const viewer = newViewer();
      const [rejected, reused] = [at(viewer, 0, { itemId: 'unheard' }), at(viewer, 1)];
      await subject.reject(rejected, 'ITEM_NOT_FOUND');
      await subject.record([reused]);
      await subject.reject({ ...reused, itemId: 'b' }, 'ID_REUSED');
      const found = { status: 'REJECTED', interaction: rejected, reason: 'ITEM_NOT_FOUND' };
      expect(await find(rejected.id, viewer)).toEqual(found);
      expect(await find(rejected.id, null)).toEqual(found);
      expect(await find(rejected.id, newViewer())).toBeNull();
      expect(await find(reused.id, viewer)).toEqual({ status: 'RECORDED', interaction: reused });
    });

    it('gives the recent ones of a viewer newest first, below an id, without those of hidden items', async () => {
      const viewer = newViewer();
      const [first, second, third, hidden] = [
        at(viewer, 1),
        at(viewer, 2, { itemId: 'b', type: 'LIKE' }),
        at(viewer, 3, { itemId: 'c', type: 'PURCHASE' }),
        at(viewer, 4, { itemId: 'hidden' }),
      ];
      await subject.record([second, hidden, first, third, at(newViewer(), 5)]);
      expect(await reader.recent(viewer, null, 10)).toEqual([third, second, first]);
      expect(await reader.recent(viewer, null, 2)).toEqual([third, second]);
      expect(await reader.recent(viewer, third.id, 1)).toEqual([second]);
      expect(await reader.recent(viewer, first.id, 10)).toEqual([]);
    });

    it('gives the reactions of a viewer to a page, standing since their giving or retracted', async () => {
      const viewer = newViewer();
      const [liked, again, saved, unliked, reliked, hidden] = [
        at(viewer, 1, LIKE),
        at(viewer, 2, LIKE),
        at(viewer, 3, { itemId: 'b', type: 'SAVE' }),
        at(viewer, 4, { itemId: 'b', type: 'SAVE', retraction: true }),
        at(viewer, 5, { itemId: 'c', type: 'LIKE' }),
        at(viewer, 6, { itemId: 'hidden', type: 'LIKE' }),
      ];
      await subject.record([again, liked, saved, unliked, reliked, hidden, at(newViewer(), 7, LIKE)]);
      expect(sorted(await reader.reactionsTo(viewer, ['a', 'b', 'hidden', 'unheard']))).toEqual([
        { itemId: 'a', type: 'LIKE', state: { sinceId: liked.id, retractedId: null } },
        { itemId: 'b', type: 'SAVE', state: { sinceId: null, retractedId: unliked.id } },
      ]);
      expect(await reader.reactionsTo(viewer, [])).toEqual([]);
    });

    it('gives the newest that stand, of one type or any, below a giving, and all to some items', async () => {
      const viewer = newViewer();
      const [liked, saved, other, retracted, gone, hidden] = [
        at(viewer, 1, LIKE),
        at(viewer, 2, { itemId: 'b', type: 'SAVE' }),
        at(viewer, 3, { itemId: 'c', type: 'LIKE' }),
        at(viewer, 4, { itemId: 'b', type: 'LIKE' }),
        at(viewer, 5, { itemId: 'b', type: 'LIKE', retraction: true }),
        at(viewer, 6, { itemId: 'hidden', type: 'LIKE' }),
      ];
      await subject.record([liked, saved, other, retracted, gone, hidden, at(newViewer(), 7, LIKE)]);
      const standing = async (...[type, before, limit]: [ReactionRow['type'] | null, string | null, number]) =>
        (await reader.standingReactions(viewer, type, before, limit, []))
          .flatMap(({ state }) => state.sinceId ?? [])
          .toSorted()
          .toReversed();
      expect(await standing(null, null, 10)).toEqual([other.id, saved.id, liked.id]);
      expect(await standing('LIKE', null, 10)).toEqual([other.id, liked.id]);
      expect(await standing(null, other.id, 1)).toEqual([saved.id]);
      expect(await standing('SAVE', saved.id, 10)).toEqual([]);
      const besides = await reader.standingReactions(viewer, null, null, 1, ['b', 'hidden']);
      expect(
        sorted(besides)
          .map(({ itemId, type }) => `${itemId} ${type}`)
          .toSorted(),
      ).toEqual(['b LIKE', 'b SAVE', 'c LIKE']);
    });
  });
}

const LIKE = { type: 'LIKE' } as const;
const RETRACTED_LIKE = { type: 'LIKE', retraction: true } as const;
let viewers = 0;

function newViewer(): string {
  viewers += 1;
  return viewerKeyOf({ userId: `reader ${viewers}` });
}

/** A view of item `a`, but for what is given, so many seconds into the test. */
function at(viewer: string, seconds: number, more: Partial<Interaction> = {}): Interaction {
  const atMs = NOW + seconds * SECOND;
  return {
    id: newInteractionIdAt(atMs),
    itemId: 'a',
    viewer,
    type: 'VIEW',
    retraction: false,
    metadata: null,
    // Not kept; when it happened stands in for it.
    acceptedAtMs: atMs,
    ...more,
  };
}

function sorted(rows: readonly ReactionRow[]): ReactionRow[] {
  return rows.toSorted((a, b) => (a.itemId < b.itemId ? -1 : 1));
}
