// What one request shall carry: points, or a body that was made of them before. The one is made from the other only when it
// is needed: most bodies go as they are.

import {
  countKinds,
  decodePoints,
  isCarriedBy,
  type KindCounts,
  type Point,
  type PointEncoder,
  type RequestBody,
  timeRange,
} from '../points/index.ts';
import type { Protocol } from '../wire/index.ts';

export class Batch {
  #points: readonly Point[] | undefined;
  #body: RequestBody | undefined;

  private constructor(points: readonly Point[] | undefined, body: RequestBody | undefined) {
    this.#points = points;
    this.#body = body;
  }

  static ofPoints(points: readonly Point[]): Batch {
    return new Batch(points, undefined);
  }

  static ofBody(body: RequestBody): Batch {
    return new Batch(undefined, body);
  }

  get isEmpty(): boolean {
    return this.#points?.length === 0;
  }

  /** The points, if there is reason to look at each: not of a large body just to be on the safe side. */
  get pointsOfInterest(): readonly Point[] {
    return this.#points !== undefined || this.#body?.isSuspected ? this.points : [];
  }

  /** @throws SnappyError, WireError, LabelError: if it was made of a body that is none. */
  get points(): readonly Point[] {
    this.#points ??= decodePoints(this.#body!.protocol, this.#body!.bytes);
    return this.#points;
  }

  /** What a request of this protocol has. */
  counts(protocol: Protocol): KindCounts {
    return this.#body?.protocol === protocol ? this.#body.counts : countKinds(protocol, this.points);
  }

  /** Only of what isn't empty. Throws as `points` does. */
  body(protocol: Protocol, encoder: PointEncoder): RequestBody {
    if (this.#body?.protocol === protocol) return this.#body;
    const { points } = this;
    const [minTimestampMs, maxTimestampMs] = timeRange(points);
    const bytes = encoder.encode(protocol, points);
    const body = { protocol, bytes, counts: countKinds(protocol, points), minTimestampMs, maxTimestampMs };
    this.#body = body;
    return body;
  }

  /** Without what is older; itself if nothing is. */
  notOlderThan(oldestMs: number, onLost: (lost: readonly Point[]) => void): Batch {
    if (this.#body !== undefined && this.#body.minTimestampMs >= oldestMs) return this;
    return this.#keep((point) => point.timestampMs >= oldestMs, onLost);
  }

  /** Without what the protocol has no words for; itself if that is nothing. */
  carriedBy(protocol: Protocol, onLost: (lost: readonly Point[]) => void): Batch {
    if (protocol === '2.0' || this.#body?.protocol === protocol) return this;
    return this.#keep((point) => isCarriedBy(protocol, point), onLost);
  }

  #keep(isKept: (point: Point) => boolean, onLost: (lost: readonly Point[]) => void): Batch {
    const { points } = this;
    // The same batch if nothing goes: its body needn't be written again then.
    if (points.every(isKept)) return this;
    onLost(points.filter((point) => !isKept(point)));
    return Batch.ofPoints(points.filter(isKept));
  }
}
