// The exponential buckets of native histograms: bucket i of schema s holds what is above 2^((i-1)/2^s), up to and with 2^(i/2^s).
// Bounds are exact to the last bit: nothing here rounds but the doubles themselves.

export const MIN_SCHEMA = -4;
export const MAX_SCHEMA = 8;
/** Observations up to this are in the zero bucket. */
export const ZERO_THRESHOLD = 2 ** -128;

const STEPS = 1 << MAX_SCHEMA;
const FRACTION_BITS = 160n;

/** 0.5 · 2^(i/256), each to the nearest double: the bounds of a mantissa. */
const BOUNDS = Float64Array.from({ length: STEPS }, (_, i) => {
  let root = 1n << (BigInt(i) + FRACTION_BITS);
  for (let n = 0; n < MAX_SCHEMA; n++) root = squareRoot(root << FRACTION_BITS);
  // In [1, 2): 53 bits are left, the last one rounded.
  const shift = FRACTION_BITS - 53n;
  return Number((root + (1n << (shift - 1n))) >> shift) / 2 ** 54;
});

const double = new Float64Array(1);
const words = new Int32Array(double.buffer);
const HIGH = new Uint8Array(Int32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** The bucket of values[at], a finite number above the zero threshold. */
export function nativeBucket(values: Float64Array, at: number, schema: number): number {
  // value = mantissa · 2^exponent, the mantissa in [0.5, 1).
  double[0] = values[at]!;
  const high = words[HIGH]!;
  const exponent = (high >>> 20) - 1022;
  words[HIGH] = (high & 0x000f_ffff) | (1022 << 20);
  const mantissa = double[0]!;
  if (schema <= 0) {
    const power = mantissa === 0.5 ? exponent - 1 : exponent;
    const width = -schema;
    return (power + (1 << width) - 1) >> width;
  }
  const step = MAX_SCHEMA - schema;
  let low = 0;
  for (let top = 1 << schema; low < top; ) {
    const middle = (low + top) >>> 1;
    if (BOUNDS[middle << step]! < mantissa) low = middle + 1;
    else top = middle;
  }
  return low + (exponent - 1) * (1 << schema);
}

/** The coarsest schema whose buckets grow by no more than `factor`, within what there is. */
export function schemaOfFactor(factor: number): number {
  for (let schema = MIN_SCHEMA; schema < MAX_SCHEMA; schema++) {
    const growth = schema <= 0 ? 2 ** (1 << -schema) : 2 * BOUNDS[1 << (MAX_SCHEMA - schema)]!;
    if (growth <= factor) return schema;
  }
  return MAX_SCHEMA;
}

/** The largest whole number whose square is not above `value`. */
function squareRoot(value: bigint): bigint {
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
