// How long things take: quantiles of two log-normal distributions as integer tables, because logarithms and exponentials differ in
// the last bit between engines and the same seed must give the same bytes everywhere.
import type { Prng } from './prng.ts';

/** `steady` has a sigma of 0.4, `spiky` one of 0.9: its slowest in a thousand takes seventeen times the median. */
export type Spread = 'steady' | 'spiky';

export interface Work {
  medianUs: number;
  spread: Spread;
}

// Quantiles i/64 in 1024ths of the median; the two ends are the 0.4 % and the 99.92 % quantile.
// biome-ignore format: a table
const STEADY = [
  354, 433, 486, 524, 554, 581, 604, 626, 646, 665, 684, 701, 718, 735, 751, 766, 782, 797, 812, 827, 842, 857, 872, 887, 901, 916,
  931, 946, 962, 977, 992, 1008, 1024, 1040, 1057, 1073, 1091, 1108, 1126, 1144, 1163, 1183, 1203, 1224, 1245, 1268, 1291, 1315, 1341,
  1368, 1397, 1427, 1460, 1495, 1534, 1576, 1622, 1675, 1735, 1805, 1891, 2002, 2157, 2424, 3619,
];
// biome-ignore format: a table
const SPIKY = [
  94, 147, 192, 227, 257, 286, 313, 339, 364, 388, 413, 437, 461, 485, 509, 533, 558, 583, 608, 634, 660, 686, 713, 741, 769, 798, 827,
  858, 889, 921, 954, 989, 1024, 1061, 1099, 1138, 1180, 1223, 1268, 1315, 1364, 1416, 1471, 1529, 1590, 1655, 1724, 1799, 1879, 1966,
  2060, 2162, 2275, 2401, 2541, 2701, 2884, 3097, 3353, 3668, 4073, 4628, 5475, 7115, 17532,
];

/** One duration in nanoseconds, linear between the table's quantiles. */
export function durationNs(prng: Prng, work: Work): number {
  const table = work.spread === 'steady' ? STEADY : SPIKY;
  const drawn = prng.next();
  const cell = drawn >>> 26;
  const fraction = (drawn >>> 6) & 0xfffff;
  const low = table[cell]!;
  const factor = low * 1048576 + (table[cell + 1]! - low) * fraction;
  // 1000 ns / (1024 * 2^20) as one exact shift and one rounding: the product stays below 2^53 up to a median of 490 ms.
  return Math.floor((factor * work.medianUs) / 1073741824) * 1000 + ((drawn & 0x3ff) % 1000);
}
