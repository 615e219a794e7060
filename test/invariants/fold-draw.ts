// Random choices for settings: most as they are by default.

import type { Below } from '../otlp/noisy-encoder.ts';

export interface Draw {
  below: Below;
  pick<T>(list: readonly T[]): T;
  /** Up to so many, the same one maybe twice. */
  some<T>(list: readonly T[], most: number): T[];
  /** The usual one, or now and then another. */
  mostly<T>(usual: T, ...others: T[]): T;
  /** Now and then. */
  isOn(): boolean;
}

export function drawFrom(below: Below): Draw {
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  return {
    below,
    pick,
    some: (list, most) => Array.from({ length: below(most + 1) }, () => pick(list)),
    mostly: (usual, ...others) => (below(3) === 0 ? pick(others) : usual),
    isOn: () => below(3) === 0,
  };
}
