// Numbers as Prometheus reads them: decimal only, no underscores, and what doesn't fit a float64 is an error, not infinity.
// The patterns can't backtrack: a page may hold a number of a million digits.

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const INTEGER = /^[+-]?\d+$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** Undefined: not a number. NaN is one. */
export function parseNumber(text: string): number | undefined {
  if (DECIMAL.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return /^nan$/i.test(text) ? Number.NaN : undefined;
}

/** Whole milliseconds; undefined for what is none, or beyond 2^53. */
export function parseMs(text: string): number | undefined {
  return INTEGER.test(text) ? safe(Number(text)) : undefined;
}

/** Seconds, possibly with a fraction, as the nearest milliseconds. */
export function parseSeconds(text: string): number | undefined {
  const seconds = parseNumber(text);
  return seconds === undefined ? undefined : secondsToMs(seconds);
}

/** Undefined for NaN, and for what is beyond 2^53. */
export function secondsToMs(seconds: number): number | undefined {
  return safe(Math.round(seconds * 1000));
}

function safe(value: number): number | undefined {
  // + 0: no negative zero.
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}
