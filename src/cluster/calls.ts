import { withDeadline } from '../runtime/deadline.ts';
import { isRecord } from '../runtime/is-record.ts';

/** One end of the pipe between an API process and its parent. */
export interface Pipe {
  /** False: the other end is gone. */
  send(message: object): boolean;
  onMessage(listener: (message: unknown) => void): void;
}

export interface Calls {
  /** Rejects with DeadlineError when the other end does not answer, with Error when it is gone or failed. */
  ask(what: string, deadlineMs: number): Promise<unknown>;
}

/** Questions and answers over the pipe, in both directions; what the other end may ask is in `answers`. */
export function createCalls(pipe: Pipe, answers: Readonly<Record<string, () => Promise<unknown>>>): Calls {
  const waiting = new Map<number, (answer: unknown) => void>();
  let asked = 0;

  pipe.onMessage((message) => {
    if (!isRecord(message)) return;
    const { groundswell: kind, id, what } = message;
    if (typeof id !== 'number') return;
    if (kind === 'answer') waiting.get(id)?.(message['value']);
    if (kind !== 'question' || typeof what !== 'string') return;
    const answer = Object.hasOwn(answers, what) ? answers[what] : undefined;
    answer?.().then(
      (value) => pipe.send({ groundswell: 'answer', id, value }),
      // No answer: whoever asks has a deadline.
      () => undefined,
    );
  });

  return {
    async ask(what, deadlineMs) {
      asked += 1;
      const id = asked;
      const answer = new Promise<unknown>((resolve, reject) => {
        waiting.set(id, resolve);
        if (!pipe.send({ groundswell: 'question', id, what })) reject(new Error('the other process is gone'));
      });
      try {
        return await withDeadline(answer, deadlineMs, what);
      } finally {
        waiting.delete(id);
      }
    },
  };
}
