// Seeded choices, so that a run that fails can be had again.
import { generator } from '../../ledger/simulated-disk.ts';

export class Random {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = generator(seed);
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
