// How many distinct strings were seen, in 1 KiB: HyperLogLog with 1,024 registers (standard error 3 %). The estimate is that of Ertl
// 2017, "New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6: no tables, no logarithms, exact for few strings.

const INDEX_BITS = 10;
export const REGISTERS = 1 << INDEX_BITS;
/** Bits of the hash behind the index. */
const RANK_BITS = 54;
/** 1 / (2 · ln 2). */
const ALPHA = 0.7213475204444817;

/** A string's register and what to raise it to, in one number above 0: rank · REGISTERS + index. */
export function cellOf(bytes: Uint8Array): number {
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let i = 0; i < bytes.length; i++) {
    a = Math.imul(a ^ bytes[i]!, 0x01000193);
    b = Math.imul(b ^ bytes[i]!, 0x5bd1e995);
    b ^= b >>> 13;
  }
  const high = mix(a ^ bytes.length);
  const low = mix(b ^ high);
  const rest = high & ((1 << (32 - INDEX_BITS)) - 1);
  const rank = rest !== 0 ? Math.clz32(rest) - INDEX_BITS + 1 : 32 - INDEX_BITS + Math.clz32(low) + 1;
  return rank * REGISTERS + (high >>> (32 - INDEX_BITS));
}

/** Raises the register of a cell; false if it stood there already. */
export function raise(registers: Uint8Array, cell: number): boolean {
  const index = cell & (REGISTERS - 1);
  const rank = cell >>> INDEX_BITS;
  if (registers[index]! >= rank) return false;
  registers[index] = rank;
  return true;
}

/** Distinct strings in all of the sketches together, to the nearest whole number. */
export function estimate(sketches: readonly Uint8Array[]): number {
  const ranks = new Float64Array(RANK_BITS + 2);
  for (let i = 0; i < REGISTERS; i++) {
    let rank = 0;
    for (const registers of sketches) rank = Math.max(rank, registers[i]!);
    ranks[rank] = ranks[rank]! + 1;
  }
  let z = REGISTERS * tau(1 - ranks[RANK_BITS + 1]! / REGISTERS);
  for (let k = RANK_BITS; k >= 1; k--) z = 0.5 * (z + ranks[k]!);
  z += REGISTERS * sigma(ranks[0]! / REGISTERS);
  return Math.round((ALPHA * REGISTERS * REGISTERS) / z);
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let x = share;
  let y = 1;
  let z = x;
  for (let before = -1; z !== before; ) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let x = share;
  let y = 1;
  let z = 1 - x;
  for (let before = -1; z !== before; ) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
