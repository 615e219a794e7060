// Random numbers that a seed repeats.

export interface Random {
  /** From 0 up to, not with, 1. */
  (): number;
  /** A whole number from 0 up to, not with, `n`. */
  below(n: number): number;
  chance(share: number): boolean;
}

export function seeded(seed: number): Random {
  let state = (seed * 0x9e3779b1) >>> 0;
  const random = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.assign(random, {
    below: (n: number) => Math.floor(random() * n),
    chance: (share: number) => random() < share,
  });
}
