// Which bucket of a histogram a value falls into: a table by the value's topmost bits leads to the first bucket that is possible, so
// one comparison is usual where a binary search mispredicts at every other step (bench/micro/buckets.ts). Must never round.

/** Sign, exponent and two bits of mantissa. */
const SHIFT = 18;
const CELLS = 1 << (32 - SHIFT - 1);

const double = new Float64Array(1);
const words = new Int32Array(double.buffer);
const HIGH = new Uint8Array(Int32Array.of(1).buffer)[0] === 1 ? 1 : 0;

export class BucketIndex {
  /** Ascending, then +Infinity. */
  private readonly bounds: Float64Array;
  /** By the topmost bits of a value that isn't negative: the bucket of the smallest such value. */
  private readonly first = new Uint16Array(CELLS);

  /** @param bounds upper bounds (inclusive), ascending, without +Inf */
  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from([...bounds, Number.POSITIVE_INFINITY]);
    for (let cell = 0; cell < CELLS; cell++) {
      words[HIGH] = cell << SHIFT;
      words[1 - HIGH] = 0;
      const smallest = double[0]!;
      let bucket = 0;
      while (smallest > this.bounds[bucket]!) bucket++;
      this.first[cell] = bucket;
    }
  }

  /**
   * Index of the first bound that values[index], 0 or more and finite, does not exceed; the number of bounds if it exceeds all.
   * (An argument that is a double is boxed wherever the compiler does not inline the call; an array and an index never are.)
   */
  of(values: Float64Array, index: number): number {
    const { bounds } = this;
    const value = values[index]!;
    double[0] = value;
    let bucket = this.first[words[HIGH]! >>> SHIFT]!;
    while (value > bounds[bucket]!) bucket++;
    return bucket;
  }
}
