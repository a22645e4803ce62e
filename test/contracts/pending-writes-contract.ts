import { describe, expect, it } from 'vitest';
import { newInteractionId, newInteractionIdAt } from '../../src/interactions/interaction-id.ts';
import type { Interaction } from '../../src/interactions/interaction.ts';
import type { PendingWrites } from '../../src/interactions/pending-writes.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';

/** What every PendingWrites promises. `pending` is asked for at the time of each test. */
export function pendingWritesContract(name: string, pending: () => PendingWrites): void {
  describe(`${name}, as pending writes`, () => {
    it('shows an accepted interaction to its viewer and by its id, unchanged', async () => {
      const viewer = newViewer();
      const interaction = interactionOf(viewer, { itemId: 'book é😀', metadata: { a: [1, null, '"'] } });
      await pending().add([interaction]);
      expect(await pending().ofViewer(viewer)).toEqual([interaction]);
      expect(await pending().find(interaction.id)).toEqual(interaction);
    });

    it('shows nothing of one viewer to another, and nothing that was never added', async () => {
      await pending().add([interactionOf(newViewer())]);
      expect(await pending().ofViewer(newViewer())).toEqual([]);
      expect(await pending().find(newInteractionId())).toBeNull();
    });

    it('tells what was not there before from what comes again', async () => {
      const [first, second] = [interactionOf(newViewer()), interactionOf(newViewer())];
      expect(await pending().add([first])).toEqual([first]);
      const again = { ...first, acceptedAtMs: first.acceptedAtMs + 1 };
      const answers = await Promise.all([pending().add([again, second]), pending().add([second, again])]);
      expect(answers).toEqual([[second], []]);
    });

    it('takes many calls at once, of many viewers', async () => {
      const viewers = Array.from({ length: 20 }, newViewer);
      const all = viewers.flatMap((viewer) => Array.from({ length: 60 }, () => interactionOf(viewer)));
      await Promise.all(all.map((interaction) => pending().add([interaction])));
      for (const viewer of viewers) {
        const mine = all.filter((interaction) => interaction.viewer === viewer);
        expect(idsOf(await pending().ofViewer(viewer))).toEqual(idsOf(mine));
      }
    });

    it('the first under an id stays, whoever sends the id again', async () => {
      const [viewer, other] = [newViewer(), newViewer()];
      const first = interactionOf(viewer);
      await pending().add([first]);
      await pending().add([{ ...first, acceptedAtMs: first.acceptedAtMs + 1 }]);
      await pending().add([{ ...first, viewer: other }]);
      expect(await pending().ofViewer(viewer)).toEqual([first]);
      expect(await pending().ofViewer(other)).toEqual([]);
      expect(await pending().find(first.id)).toEqual(first);
    });

    it('keeps the newest 1,000 of a viewer, in whatever order they come', async () => {
      const viewer = newViewer();
      const startMs = Date.now() - 10_000;
      const all = Array.from({ length: 1_050 }, (_, index) =>
        interactionOf(viewer, { id: newInteractionIdAt(startMs + index) }),
      );
      await pending().add(all.toReversed());
      const kept = await pending().ofViewer(viewer);
      expect(idsOf(kept)).toEqual(idsOf(all.slice(50)));
    });

    it('what is removed no longer shows; the rest does', async () => {
      const viewer = newViewer();
      const [gone, kept] = [interactionOf(viewer), interactionOf(viewer)];
      await pending().add([gone, kept]);
      await pending().remove([gone]);
      expect(await pending().ofViewer(viewer)).toEqual([kept]);
      expect(await pending().find(gone.id)).toBeNull();
    });

    it('a rejected one under a reused id takes nothing from whom the id belongs to', async () => {
      const viewer = newViewer();
      const first = interactionOf(viewer);
      await pending().add([first]);
      await pending().remove([{ id: first.id, viewer: newViewer() }]);
      expect(await pending().find(first.id)).toEqual(first);
    });

    it('erasing a viewer forgets all of theirs and nothing of others', async () => {
      const [viewer, other] = [newViewer(), newViewer()];
      const [mine, theirs] = [interactionOf(viewer), interactionOf(other)];
      await pending().add([mine, theirs]);
      await pending().erase(viewer);
      expect(await pending().ofViewer(viewer)).toEqual([]);
      expect(await pending().find(mine.id)).toBeNull();
      expect(await pending().ofViewer(other)).toEqual([theirs]);
    });

    it('erasing a viewer of very many forgets those that are not shown any more, too', async () => {
      const viewer = newViewer();
      const all = Array.from({ length: 1_200 }, () => interactionOf(viewer));
      await pending().add(all);
      await pending().erase(viewer);
      const found = await Promise.all(all.map(({ id }) => pending().find(id)));
      expect(found.filter((interaction) => interaction !== null)).toEqual([]);
    });

    it('adding and removing nothing is no fault', async () => {
      await pending().add([]);
      await pending().remove([]);
    });
  });
}

let viewers = 0;

function newViewer(): string {
  viewers += 1;
  return viewerKeyOf({ userId: `viewer ${viewers} of ${process.pid}` });
}

function interactionOf(viewer: string, more: Partial<Interaction> = {}): Interaction {
  return {
    id: newInteractionId(),
    itemId: 'book-1',
    viewer,
    type: 'LIKE',
    retraction: false,
    metadata: null,
    acceptedAtMs: Date.now(),
    ...more,
  };
}

function idsOf(interactions: readonly Interaction[]): string[] {
  return interactions.map(({ id }) => id).toSorted();
}
