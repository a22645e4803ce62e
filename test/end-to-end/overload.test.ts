import { beforeAll, describe, expect, it } from 'vitest';
import { faultsOf, goodPerSecond, overloadApi, recoverySeconds, type Overloaded } from '../../bench/overload-api.ts';

/** What `npm run bench -- overload` measures, in short; the bars are wide, for machines that have other work. */
describe('an API process under five times what saturates it', () => {
  let direct: Overloaded;
  let behindNginx: Overloaded;

  beforeAll(async () => {
    ({ direct, behindNginx } = await overloadApi({ warmUp: 3, saturated: 2, overload: 4, after: 6 }));
  }, 300_000);

  it('answers, or refuses with a code and Retry-After, and hardly anything late', () => {
    for (const { over } of [direct, behindNginx]) {
      expect(over.refused).toBeGreaterThan(over.sent / 3);
      expect(over.late).toBeLessThan(over.sent / 5);
    }
    expect([...faultsOf(direct), ...faultsOf(behindNginx)]).toEqual([]);
  });

  it('behind nginx gets as much done as before, or nearly so', () => {
    expect(goodPerSecond(behindNginx.over)).toBeGreaterThan(goodPerSecond(behindNginx.peak) * 0.4);
  });

  it('says all the while that it is live and ready', () => {
    const probes = [...direct.probes, ...behindNginx.probes];
    expect(probes.length).toBeGreaterThan(0);
    expect(probes.filter(({ ok }) => !ok)).toEqual([]);
  });

  it('answers everything again within 5 s', () => {
    expect(recoverySeconds(direct)).toBeLessThanOrEqual(5);
    expect(recoverySeconds(behindNginx)).toBeLessThanOrEqual(5);
  });
});
