// A seeded generator of 32-bit numbers (xoshiro128**, Blackman and Vigna). Integers only: it never touches a math function or a
// clock, so one seed gives the same numbers on every machine.

const TWO_32 = 4294967296;

/** Splits a non-negative integer below 2^64 into the two words that seed a `Prng`. */
export function seedWords(value: bigint): [number, number] {
  return [Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn)];
}

export class Prng {
  #a = 0x9e3779b9;
  #b = 0x243f6a88;
  #c = 0xb7e15162;
  #d = 0xdeadbeef;

  /** Every word changes every later number; two different lists give unrelated sequences. */
  constructor(words: readonly number[]) {
    for (const word of words) {
      this.#a = (this.#a ^ scramble(word)) | 0;
      this.#c = (this.#c + scramble(word ^ 0x5bf03635)) | 0;
      for (let round = 0; round < 8; round++) this.next();
    }
    if ((this.#a | this.#b | this.#c | this.#d) === 0) this.#a = 1;
  }

  /** 0 to 2^32 - 1. */
  next(): number {
    const b = this.#b;
    const t = Math.imul(b, 5);
    const result = Math.imul((t << 7) | (t >>> 25), 9) >>> 0;
    const shifted = b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** 0 to `limit` - 1, for a `limit` up to 2^21: the product stays an exact integer. */
  below(limit: number): number {
    return Math.floor((this.next() * limit) / TWO_32);
  }

  /** True `perMille` times in a thousand. */
  chance(perMille: number): boolean {
    return perMille > 0 && this.below(1000) < perMille;
  }
}

/** The finalizer of MurmurHash3: spreads a word's bits over all 32. */
export function scramble(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
