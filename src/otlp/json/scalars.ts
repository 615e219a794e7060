// JSON numbers, decimal strings, hex and base64 as protobuf's JSON mapping allows them (ProtoJSON format; OTLP
// specification, JSON Protobuf Encoding). 64-bit values are kept as two 32-bit halves, so that no digit is lost.

/** The halves of the last value that `parseInteger` accepted: the magnitude, without its sign. */
export let low = 0;
export let high = 0;
export let negative = false;

/**
 * Reads an integer of up to 64 bits from a number, a bigint or a decimal string into `low`, `high` and `negative`.
 * Integral values with a fraction or an exponent ("1e3", "2.0") are integers too.
 * @returns undefined, or what is wrong.
 */
export function parseInteger(value: unknown): 'not an integer' | 'out of range' | undefined {
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return value === Infinity || value === -Infinity ? 'out of range' : 'not an integer';
    negative = value < 0;
    return halves(negative ? -value : value);
  }
  if (typeof value === 'bigint') return parseDigits(value.toString());
  if (typeof value !== 'string') return 'not an integer';
  const fault = parseDigits(value);
  if (fault !== 'not an integer' || !DECIMAL.test(value)) return fault;
  const number = Number(value);
  return Number.isSafeInteger(number) ? parseInteger(number) : 'not an integer';
}

/** A magnitude that a double holds exactly. */
function halves(magnitude: number): 'out of range' | undefined {
  if (magnitude >= 2 ** 64) return 'out of range';
  high = Math.floor(magnitude / 2 ** 32);
  low = magnitude - high * 2 ** 32;
  return undefined;
}

/** Digits in three limbs: the value is (a * 2^16 + b) * 10^9 + c, and every product below stays under 2^53. */
function parseDigits(text: string): 'not an integer' | 'out of range' | undefined {
  const minus = text.charCodeAt(0) === 45;
  let from = minus ? 1 : 0;
  const end = text.length;
  if (from === end) return 'not an integer';
  for (let i = from; i < end; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return 'not an integer';
  }
  while (from < end - 1 && text.charCodeAt(from) === 48) from++;
  if (end - from > 20) return 'out of range';
  const cut = Math.max(from, end - 9);
  let upper = 0;
  for (let i = from; i < cut; i++) upper = upper * 10 + text.charCodeAt(i) - 48;
  let lower = 0;
  for (let i = cut; i < end; i++) lower = lower * 10 + text.charCodeAt(i) - 48;
  const a = Math.floor(upper / 65536) * 1e9;
  const rest = (a % 65536) * 65536 + (upper % 65536) * 1e9 + lower;
  const carry = Math.floor(rest / 2 ** 32);
  const top = Math.floor(a / 65536) + carry;
  if (top >= 2 ** 32) return 'out of range';
  low = rest - carry * 2 ** 32;
  high = top;
  negative = minus;
  return undefined;
}

const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** A double from a number, a decimal string or one of "NaN", "Infinity", "-Infinity"; undefined if it is none. */
export function parseDouble(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string') return undefined;
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Number.POSITIVE_INFINITY;
  if (value === '-Infinity') return Number.NEGATIVE_INFINITY;
  const number = DECIMAL.test(value) ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** Hex digits of either case, an even number of them. */
export function isHex(text: string): boolean {
  if (text.length % 2 !== 0) return false;
  for (let i = 0; i < text.length; i++) if (hexDigit(text.charCodeAt(i)) < 0) return false;
  return true;
}

/** The digit's value, or -1. */
export function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** Standard or URL-safe base64, padded or not; undefined if it is neither. */
export function parseBase64(text: string): Uint8Array | undefined {
  if (!BASE64.test(text)) return undefined;
  const padding = text.indexOf('=');
  const digits = padding < 0 ? text.length : padding;
  if (digits % 4 === 1 || (padding >= 0 && text.length % 4 !== 0)) return undefined;
  return Buffer.from(text, 'base64');
}
