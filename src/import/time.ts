const ISO =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$/i;
const EPOCH = /^\d{9,13}(?:\.\d{1,9})?$/;
/** As seconds the year 5138, as milliseconds 1973: what is higher is taken for milliseconds. Fewer digits may be a year. */
const HIGHEST_SECONDS = 100_000_000_000;

/** Milliseconds since the epoch: ISO 8601 (a blank for the T will do, without a zone it is UTC), or epoch seconds or ms. */
export function parseTime(text: string): number | undefined {
  if (EPOCH.test(text)) {
    const value = Number(text);
    return Math.floor(value < HIGHEST_SECONDS ? value * 1_000 : value);
  }
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match;
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3));
  const fields = [Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second)] as const;
  const atMs = Date.UTC(fields[0], fields[1] - 1, fields[2], fields[3], fields[4], fields[5], ms);
  // Date.UTC turns 31 February into 3 March.
  const at = new Date(atMs);
  const back = [
    at.getUTCFullYear(),
    at.getUTCMonth() + 1,
    at.getUTCDate(),
    at.getUTCHours(),
    at.getUTCMinutes(),
    at.getUTCSeconds(),
  ];
  return back.every((value, index) => value === fields[index]) ? atMs - offsetMs(zone) : undefined;
}

function offsetMs(zone: string | undefined): number {
  if (zone === undefined || /^(Z|UTC)$/i.test(zone)) return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', '') || 0)) * 60_000;
}
