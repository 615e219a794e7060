// Series that a 1.0 receiver refused while it took others of the same batch. They go in a request of their own from then
// on, so that they cost one small request a batch instead of a search each time; one that is taken is a suspect no more.

import type { Series } from '../labels/index.ts';
import type { Point } from '../points/index.ts';
import { Batch } from './batch.ts';

const MAX_SUSPECTS = 1_000;

export interface Suspects {
  add(series: Series): void;
  clear(taken: () => readonly Point[]): void;
  isAll(points: readonly Point[]): boolean;
  /** The batch of all others, then that of suspects, if there are both; each in their order. */
  split(batch: Batch): Batch[];
  /** The points in two parts, none of them empty if there are two points: what is suspected apart, or else in the middle. */
  halves(points: readonly Point[]): [readonly Point[], readonly Point[]];
}

export function createSuspects(): Suspects {
  // By hash: a series with that of a suspect goes along with it, which does no harm.
  const known = new Set<number>();

  // Suspects only where they aren't everything.
  function parted(points: readonly Point[]): [others: readonly Point[], suspects: readonly Point[]] {
    const suspects = points.filter(({ series }) => known.has(series.hash));
    if (suspects.length === 0 || suspects.length === points.length) return [points, []];
    return [points.filter(({ series }) => !known.has(series.hash)), suspects];
  }

  return {
    add({ hash }) {
      if (known.size >= MAX_SUSPECTS) {
        for (const oldest of known) {
          known.delete(oldest);
          break;
        }
      }
      known.add(hash);
    },
    clear(taken) {
      if (known.size > 0) for (const { series } of taken()) known.delete(series.hash);
    },
    isAll: (points) => points.every(({ series }) => known.has(series.hash)),
    split(batch) {
      if (known.size === 0) return [batch];
      const [others, suspects] = parted(batch.points);
      return suspects.length === 0 ? [batch] : [Batch.ofPoints(others), Batch.ofPoints(suspects)];
    },
    halves(points) {
      // A body made before a series came under suspicion still holds it: no need to search for it again.
      const [others, suspects] = parted(points);
      if (suspects.length > 0) return [others, suspects];
      const middle = points.length >> 1;
      return [points.slice(0, middle), points.slice(middle)];
    },
  };
}
