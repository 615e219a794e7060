// Series that a 1.0 receiver refused while it took others of the same batch. They go in a request of their own from then
// on, so that they cost one small request a batch instead of a search each time; one that is taken is a suspect no more.

import type { Series } from '../labels/index.ts';
import type { Point } from '../points/index.ts';

const MAX_SUSPECTS = 1_000;

export interface Suspects {
  add(series: Series): void;
  clear(taken: () => readonly Point[]): void;
  /** The points of all others, and those of suspects, each in their order. */
  split(points: readonly Point[]): [others: readonly Point[], suspects: readonly Point[]];
}

export function createSuspects(): Suspects {
  // By hash: a series with that of a suspect goes along with it, which does no harm.
  const known = new Set<number>();
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
    split(points) {
      if (known.size === 0) return [points, []];
      const suspects = points.filter(({ series }) => known.has(series.hash));
      if (suspects.length === 0 || suspects.length === points.length) return [points, []];
      return [points.filter(({ series }) => !known.has(series.hash)), suspects];
    },
  };
}
