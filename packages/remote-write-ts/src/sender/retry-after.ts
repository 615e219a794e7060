// Retry-After in both its forms. Source: RFC 9110, sections 10.2.3 (Retry-After) and 5.6.7 (the three date formats, all of
// which a recipient must accept; all are UTC). `Date.parse` would not do: it reads the third as local time, and much else.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const IMF_FIXDATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const RFC_850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/**
 * @param value the header, if there was one.
 * @returns how long to wait, ms, always positive; undefined for zero, a date that is past, and anything unreadable.
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : httpDateMs(text, nowMs) - nowMs;
  return waitMs > 0 ? waitMs : undefined;
}

function httpDateMs(text: string, nowMs: number): number {
  const imf = IMF_FIXDATE.exec(text);
  if (imf) return utc(imf[3], imf[2], imf[1], imf[4], imf[5], imf[6]);
  const asctime = ASCTIME.exec(text);
  if (asctime) return utc(asctime[6], asctime[1], asctime[2], asctime[3], asctime[4], asctime[5]);
  const old = RFC_850.exec(text);
  if (!old) return Number.NaN;
  // Two digits: the year of this century, unless that is more than 50 years ahead.
  const thisYear = new Date(nowMs).getUTCFullYear();
  let year = thisYear - (thisYear % 100) + Number(old[3]);
  if (year > thisYear + 50) year -= 100;
  return utc(String(year), old[2], old[1], old[4], old[5], old[6]);
}

function utc(...[year, month, day, hour, minute, second]: (string | undefined)[]): number {
  const monthIndex = MONTHS.indexOf(month ?? '');
  if (monthIndex < 0) return Number.NaN;
  return Date.UTC(Number(year), monthIndex, Number(day), Number(hour), Number(minute), Number(second));
}
