import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createAdmission, newTicket, type Admission, type Ticket } from './admission.ts';

let admission: Admission;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  vi.advanceTimersByTime(1);
  admission = createAdmission({ maxInFlight: 100, maxLagMs: 1_000_000 });
});

afterEach(() => {
  admission.stop();
  vi.useRealTimers();
});

function enter(count: number): Ticket[] {
  return Array.from({ length: count }, newTicket).filter((ticket) => admission.enter(ticket));
}

async function secondsOf(work: (ticket: Ticket, waited: Promise<void>) => Promise<void>): Promise<void> {
  for (let second = 0; second < 20; second += 1) {
    const waited = new Promise<void>((resolve) => void setTimeout(resolve, 950));
    const all = enter(80).map((ticket) => work(ticket, waited).then(() => admission.leave(ticket)));
    await vi.advanceTimersByTimeAsync(1_000);
    await Promise.all(all);
  }
}

it('lets fewer in when many take long', async () => {
  await secondsOf((_, waited) => waited);
  expect(admission.limit()).toBeLessThan(100);
});

it('lets as many in as ever when many wait for the work of others', async () => {
  await secondsOf((ticket, waited) => admission.pause(ticket, waited));
  expect(admission.limit()).toBe(100);
});

it('who waits holds no place, and has it again afterwards', async () => {
  const [ticket = newTicket()] = enter(100);
  expect(admission.refusal()).toBe('busy');
  const waiting = admission.pause(ticket, Promise.reject(new Error('not there')));
  expect(admission.inFlight()).toBe(99);
  await expect(waiting).rejects.toThrow('not there');
  expect(admission.inFlight()).toBe(100);
});

it('a request that waits for several things at once holds one place', async () => {
  const [ticket = newTicket()] = enter(1);
  await Promise.all([admission.pause(ticket, Promise.resolve()), admission.pause(ticket, Promise.resolve())]);
  expect(admission.inFlight()).toBe(1);
  admission.leave(ticket);
  expect(admission.inFlight()).toBe(0);
});

it('who is answered while it waits takes no place any more', async () => {
  const [ticket = newTicket()] = enter(1);
  let arrive: () => void = () => undefined;
  const waiting = admission.pause(ticket, new Promise<void>((resolve) => (arrive = resolve)));
  admission.leave(ticket);
  arrive();
  await waiting;
  expect(admission.inFlight()).toBe(0);
});
