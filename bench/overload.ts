import { quantile } from '../test/faults/quantile.ts';
import { figure, type Figure } from './figure.ts';
import type { PhaseResult } from './open-loop.ts';
import {
  CALM,
  CONNECTIONS,
  cpuSecondsPerRefusal,
  faultsOf,
  goodPerSecond,
  overloadApi,
  PROBES,
  recoverySeconds,
  type Overloaded,
} from './overload-api.ts';

const NAME = 'overload';

/**
 * One API process under five times what saturates it, asked itself and through nginx: what it still gets done, what a
 * refusal costs, how soon it is well.
 */
export async function overload(): Promise<Figure[]> {
  const { direct, behindNginx } = await overloadApi({ warmUp: 5, saturated: 6, overload: 15, after: 10 });
  return [
    ...figuresOf(direct),
    refusalFigure(direct),
    ...figuresOf(behindNginx).map((each) => ({ ...each, what: `behind nginx: ${each.what}` })),
  ];
}

function figuresOf(seen: Overloaded): Figure[] {
  const { peak, over, after, cpuOf } = seen;
  const offered = over.sent / over.seconds;
  const times = (offered / goodPerSecond(peak)).toFixed(1);
  const busy = (phase: PhaseResult): number => (cpuOf(phase) / phase.seconds) * 100;
  const faults = faultsOf(seen);
  return [
    figure({
      name: NAME,
      what: `goodput at ${times} times saturation / peak`,
      values: [goodPerSecond(over) / goodPerSecond(peak)],
      bar: { atLeast: 0.9 },
      detail:
        `${whole(offered)} requests/s offered, ${whole(over.unsent / over.seconds)}/s more found no free connection of ` +
        `${whole(CONNECTIONS)}; ${whole(goodPerSecond(over))} / ${whole(goodPerSecond(peak))} served within 1 s, ` +
        `99th percentile ${whole(over.goodP99Ms)} / ${whole(peak.goodP99Ms)} ms; ${whole(over.late)} late; ` +
        `${whole(over.refused / over.seconds)} refused, 99th percentile ${whole(over.refusedP99Ms)} ms; ` +
        `server core busy ${whole(busy(over))} / ${whole(busy(peak))} %; ` +
        `the load itself late by up to ${whole(over.ownLagP99Ms)} / ${whole(peak.ownLagP99Ms)} ms`,
    }),
    figure({
      name: NAME,
      what: "goodput of each second of the API's CPU / at the peak",
      values: [over.good / cpuOf(over) / (peak.good / cpuOf(peak))],
      detail: 'the load, with nginx, has the other core',
    }),
    figure({
      name: NAME,
      what: 'requests neither served nor refused with a code and Retry-After',
      values: [faults.reduce((sum, [, count]) => sum + count, 0)],
      digits: 0,
      bar: { atMost: 0 },
      detail: faults.map(([what, count]) => `${what}: ${count}`).join(', '),
    }),
    figure({
      name: NAME,
      what: 'from the end of the overload until all is served again',
      values: [recoverySeconds(seen)],
      unit: ' s',
      bar: { atMost: 5 },
      detail: `at ${CALM} times saturation, ${after.refused} still refused`,
    }),
    ...PROBES.map((path) => probeFigure(seen, path)),
  ];
}

function probeFigure({ probes }: Overloaded, path: string): Figure {
  const during = probes.filter((one) => one.path === path);
  const failed = during.filter(({ ok }) => !ok).length;
  return figure({
    name: NAME,
    what: `${path} meanwhile, 99th percentile`,
    // One that was not answered well took for ever.
    values: [
      failed > 0
        ? Number.POSITIVE_INFINITY
        : quantile(
            during.map(({ ms }) => ms),
            0.99,
          ),
    ],
    unit: ' ms',
    digits: 0,
    bar: { atMost: 1_000 },
    detail: `${during.length} probes, ${failed} of them failed`,
  });
}

function refusalFigure(seen: Overloaded): Figure {
  const { over, cpuOf } = seen;
  return figure({
    name: NAME,
    what: "CPU of the API per refusal, less what the served ones' cost at the peak",
    values: [cpuSecondsPerRefusal(seen) * 1_000],
    unit: ' ms',
    digits: 3,
    bar: { atMost: 1 },
    detail:
      `${whole(over.refused / over.seconds)} refusals/s, 99th percentile ${whole(over.refusedP99Ms)} ms; ` +
      `were all of its CPU the refusals': ${((cpuOf(over) / over.refused) * 1_000).toFixed(3)} ms`,
  });
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');
