import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryWriteProgress, type MemoryWriteProgress } from '../../test/fakes/memory-write-progress.ts';
import { waitFor } from '../../test/servers/wait-for.ts';
import { UnavailableError } from '../runtime/errors.ts';
import { createIncludedWrites, type IncludedWrites, type IncludedWritesOptions } from './included-writes.ts';
import { newInteractionId, newInteractionIdAt } from './interaction-id.ts';
import { viewerKeyOf } from './viewer-key.ts';

const ANN = viewerKeyOf({ userId: 'ann' });
const BOB = viewerKeyOf({ userId: 'bob' });

let progress: MemoryWriteProgress;
let writes: IncludedWrites;
let refused = 0;

function create(options: Partial<IncludedWritesOptions> = {}): IncludedWrites {
  return createIncludedWrites({ progress, clock: Date.now, onRefused: () => (refused += 1), pollMs: 1, ...options });
}

beforeEach(() => {
  progress = createMemoryWriteProgress();
  refused = 0;
  writes = create();
});

const recorded = (id: string, viewer = ANN) => ({ id, viewer, rejectedReason: null });
const codeOf = (settling: Promise<unknown>): Promise<unknown> =>
  settling.then(
    () => 'settled',
    (error: unknown) => (error instanceof Error ? Reflect.get(error, 'code') : error),
  );
const nextLooks = (count: number): Promise<void> => {
  const until = progress.looks.length + count;
  return waitFor(`${count} looks`, () => progress.looks.length >= until, { everyMs: 1 });
};

/** Whether it settles only after `change`, however often it was looked before. */
async function settlesAfter(settling: Promise<string>, change: () => void): Promise<string> {
  let point: string | undefined;
  void settling.then((value) => (point = value));
  await nextLooks(3);
  expect(point).toBeUndefined();
  change();
  const looks = progress.looks.length;
  await settling;
  expect(Number(point?.slice(2))).toBeGreaterThan(looks);
  return point ?? '';
}

describe('a write that has to be included', () => {
  it('is settled at the first look when it is recorded and nothing waits for the standings', async () => {
    const id = newInteractionId();
    progress.settled = [recorded(id)];
    expect(await writes.settle(ANN, [id.toUpperCase(), id])).toBe('0/1');
    expect(progress.looks).toEqual([[id]]);
  });

  it('is waited for until it is recorded, and the point is of after that', async () => {
    const [first, second] = [newInteractionId(), newInteractionId()];
    progress.settled = [recorded(first)];
    await settlesAfter(writes.settle(ANN, [first, second]), () => progress.settled.push(recorded(second)));
    expect(progress.looks.at(-1)).toEqual([second]);
  });

  it('is waited for until the standings have taken in what waited when it was first seen, and no longer', async () => {
    const id = newInteractionId();
    progress.settled = [recorded(id)];
    progress.waiting = { lowest: 5n, highest: 9n };
    const settling = writes.settle(ANN, [id]);
    await nextLooks(3);
    progress.waiting = { lowest: 9n, highest: 20n };
    await settlesAfter(settling, () => (progress.waiting = { lowest: 10n, highest: 30n }));
  });

  it('is NOT_YET_RECORDED at the deadline, to be asked again', async () => {
    const settling = create({ maxWaitMs: 20 }).settle(ANN, [newInteractionId()]);
    await expect(settling).rejects.toMatchObject({ code: 'NOT_YET_RECORDED', retryAfterSeconds: 1 });
  });

  it('is given up at the deadline also when a look does not come back', async () => {
    progress.look = () => new Promise(() => undefined);
    expect(await codeOf(create({ maxWaitMs: 20 }).settle(ANN, [newInteractionId()]))).toBe('NOT_YET_RECORDED');
  });

  it('is refused at once when it was rejected, and not when it was recorded first and rejected later', async () => {
    const [rejected, reused] = [newInteractionId(), newInteractionId()];
    progress.settled = [
      { id: rejected, viewer: ANN, rejectedReason: 'ITEM_NOT_FOUND' },
      { id: reused, viewer: ANN, rejectedReason: 'ID_REUSED' },
      recorded(reused),
    ];
    await expect(writes.settle(ANN, [rejected])).rejects.toMatchObject({
      code: 'INTERACTION_REJECTED',
      message: `The interaction ${rejected} was rejected: ITEM_NOT_FOUND.`,
    });
    expect(await codeOf(writes.settle(ANN, [reused]))).toBe('settled');
  });

  it('is refused at once when it is somebody else’s, unless the id is rejected for them alone', async () => {
    const [theirs, clash] = [newInteractionId(), newInteractionId()];
    progress.settled = [recorded(theirs, BOB), { id: clash, viewer: BOB, rejectedReason: 'ID_REUSED' }];
    expect(await codeOf(writes.settle(ANN, [theirs]))).toBe('BAD_USER_INPUT');
    expect(await codeOf(create({ maxWaitMs: 20 }).settle(ANN, [clash]))).toBe('NOT_YET_RECORDED');
  });

  it.each([
    ['eleven ids', Array.from({ length: 11 }, newInteractionId)],
    ['an id that is no UUIDv7', ['2b5a1c64-6a3f-4f0e-9a52-5d8f8b7c1f00']],
    ['an id of over five minutes ahead', [newInteractionIdAt(Date.now() + 301_000)]],
  ])('is BAD_USER_INPUT without a look for %s', async (_, ids) => {
    expect(await codeOf(writes.settle(ANN, ids))).toBe('BAD_USER_INPUT');
    expect(progress.looks).toEqual([]);
  });
});

describe('many who wait', () => {
  it('share looks, one at a time, and none is made when nobody waits', async () => {
    writes = create({ maxWaitingPerViewer: 200 });
    const ids = Array.from({ length: 200 }, newInteractionId);
    let running = 0;
    let most = 0;
    const { look } = progress;
    progress.look = async (asked) => {
      most = Math.max(most, (running += 1));
      const seen = await look(asked);
      await new Promise(setImmediate);
      running -= 1;
      return seen;
    };
    const settling = ids.map((id) => writes.settle(ANN, [id]));
    await nextLooks(3);
    progress.settled = ids.map((id) => recorded(id));
    await Promise.all(settling);
    expect(most).toBe(1);
    expect(progress.looks.length).toBeLessThan(50);
    const looks = progress.looks.length;
    const [id = ''] = ids;
    await writes.settle(ANN, [id]);
    expect(progress.looks.length).toBe(looks + 1);
  });

  it('who come during a look are not judged by it', async () => {
    const [early, late] = [newInteractionId(), newInteractionId()];
    progress.settled = [recorded(early), recorded(late)];
    const { look } = progress;
    let joined: Promise<string> | undefined;
    progress.look = async (ids) => {
      const seen = await look(ids);
      joined ??= writes.settle(ANN, [late]);
      return seen;
    };
    expect(await writes.settle(ANN, [early])).toBe('0/1');
    expect(await joined).toBe('0/2');
  });

  it('all learn that Postgres is away, and the next one looks anew', async () => {
    const id = newInteractionId();
    progress.fault = new UnavailableError('Postgres is away');
    expect(await Promise.all([codeOf(writes.settle(ANN, [id])), codeOf(writes.settle(BOB, [id]))])).toEqual([
      'UNAVAILABLE',
      'UNAVAILABLE',
    ]);
    progress.fault = null;
    progress.settled = [recorded(id)];
    expect(await codeOf(writes.settle(ANN, [id]))).toBe('settled');
  });

  it('of one viewer leave room for those of others', async () => {
    writes = create({ maxWaitingPerViewer: 1 });
    const id = newInteractionId();
    const first = writes.settle(ANN, [id]);
    expect(await codeOf(writes.settle(ANN, [newInteractionId()]))).toBe('SERVICE_BUSY');
    const other = newInteractionId();
    progress.settled = [recorded(other, BOB)];
    expect(await codeOf(writes.settle(BOB, [other]))).toBe('settled');
    progress.settled = [recorded(id)];
    await first;
  });

  it('are bounded: more are SERVICE_BUSY, until some are settled', async () => {
    writes = create({ maxWaiting: 1 });
    const id = newInteractionId();
    const first = writes.settle(ANN, [id]);
    expect(await codeOf(writes.settle(ANN, [newInteractionId()]))).toBe('SERVICE_BUSY');
    expect(refused).toBe(1);
    progress.settled = [recorded(id)];
    await first;
    expect(await codeOf(writes.settle(ANN, [id]))).toBe('settled');
  });
});
