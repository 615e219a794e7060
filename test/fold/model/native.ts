// Native histograms: observations one by one, buckets by exact arithmetic, exemplars by logarithms.

export interface NativeLayout {
  /** Finest resolution. */
  schema: number;
  maxBuckets: number;
  minResetMs: number;
}

export interface NativeExemplar {
  value: number;
  atMs: number;
  /** Hex. */
  trace: string;
}

export interface Native {
  layout: NativeLayout;
  schema: number;
  zero: number;
  sum: number;
  buckets: Map<number, number>;
  resetMs: number;
  /** When it is to be reset; Infinity: not at all. */
  dueMs: number;
  /** By value. */
  exemplars: NativeExemplar[];
}

const MIN_SCHEMA = -4;
const MAX_SCHEMA = 8;
const ZERO_THRESHOLD = 2 ** -128;
const MOST_EXEMPLARS = 10;
const MAX_AGE_MS = 300_000;

export function schemaOf(factor: number): number {
  return Math.min(MAX_SCHEMA, Math.max(MIN_SCHEMA, -Math.floor(Math.log2(Math.log2(factor)))));
}

export function blankNative(layout: NativeLayout, nowMs: number): Native {
  const buckets = new Map<number, number>();
  const { schema } = layout;
  return { layout, schema, zero: 0, sum: 0, buckets, resetMs: nowMs, dueMs: Number.POSITIVE_INFINITY, exemplars: [] };
}

/** All but the exemplars begins anew. */
export function resetNative(native: Native, atMs: number): void {
  Object.assign(native, blankNative(native.layout, atMs), { exemplars: native.exemplars });
}

/** One observation; 'reset': it made all before it be forgotten. */
export function observeNative(native: Native, value: number, nowMs: number): 'reset' | undefined {
  count(native, value);
  const { maxBuckets, minResetMs } = native.layout;
  if (maxBuckets === 0 || native.buckets.size <= maxBuckets) return undefined;
  if (minResetMs > 0 && native.dueMs === Number.POSITIVE_INFINITY) {
    if (nowMs - native.resetMs >= minResetMs) {
      resetNative(native, nowMs);
      count(native, value);
      return 'reset';
    }
    native.dueMs = native.resetMs + minResetMs;
  }
  if (native.schema > MIN_SCHEMA) halve(native);
  return undefined;
}

function count(native: Native, value: number): void {
  native.sum += value;
  if (value <= ZERO_THRESHOLD) native.zero++;
  else add(native.buckets, bucketOf(value, native.schema), 1);
}

function halve(native: Native): void {
  const wider = new Map<number, number>();
  for (const [index, n] of native.buckets) add(wider, Math.ceil(index / 2), n);
  native.buckets = wider;
  native.schema--;
}

function add(buckets: Map<number, number>, index: number, n: number): void {
  buckets.set(index, (buckets.get(index) ?? 0) + n);
}

/** The smallest i with value ≤ 2^(i / 2^schema). */
export function bucketOf(value: number, schema: number): number {
  const { mantissa, exponent } = parts(value);
  // (mantissa · 2^exponent)^(2^schema) ≤ 2^i, or the same without a power where a bucket is wider than a factor of 2.
  if (schema >= 0) return powerOf2Above(mantissa ** BigInt(2 ** schema)) + exponent * 2 ** schema;
  return Math.ceil((powerOf2Above(mantissa) + exponent) / 2 ** -schema);
}

/** value = mantissa · 2^exponent, the mantissa odd. */
function parts(value: number): { mantissa: bigint; exponent: number } {
  let exponent = 0;
  let mantissa = value;
  for (; mantissa < 2 ** 52; exponent--) mantissa *= 2;
  for (; mantissa % 2 === 0; exponent++) mantissa /= 2;
  return { mantissa: BigInt(mantissa), exponent };
}

/** The smallest n with value ≤ 2^n. */
function powerOf2Above(value: bigint): number {
  return value === 1n ? 0 : (value - 1n).toString(2).length;
}

export function exemplify(native: Native, one: NativeExemplar): void {
  const list = native.exemplars;
  if (list.length < MOST_EXEMPLARS) {
    // After those of the same value.
    list.splice(list.filter(({ value }) => value <= one.value).length, 0, one);
    return;
  }
  list.splice(leaver(list, one), 1);
  // Before those of the same value.
  list.splice(list.filter(({ value }) => value < one.value).length, 0, one);
}

/** Index of the exemplar that makes room for a new one. */
function leaver(list: readonly NativeExemplar[], one: NativeExemplar): number {
  const oldest = list.reduce((found, { atMs }, i) => (atMs < list[found]!.atMs ? i : found), 0);
  if (one.atMs - list[oldest]!.atMs > MAX_AGE_MS) return oldest;
  const distance = (left: number, right: number) => Math.log(right) - Math.log(left);
  const values = list.map(({ value }) => value);
  let right = 1;
  for (let i = 2; i < list.length; i++)
    if (distance(values[i - 1]!, values[i]!) < distance(values[right - 1]!, values[right]!)) right = i;
  let closest = distance(values[right - 1]!, values[right]!);
  let leaves = list[right]!.atMs < list[right - 1]!.atMs ? right : right - 1;
  const place = values.filter((value) => value < one.value).length;
  if (place > 0 && distance(values[place - 1]!, one.value) < closest) {
    closest = distance(values[place - 1]!, one.value);
    leaves = place - 1;
  }
  if (place < list.length && distance(one.value, values[place]!) < closest) leaves = place;
  return leaves;
}
