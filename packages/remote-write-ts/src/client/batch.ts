// What one request shall carry: points, a run of them as the queue keeps it, or a body that was made of them before. The one is
// made from the other only when it is needed: most bodies go as they are.

import {
  countKinds,
  countPoints,
  decodePoints,
  isCarriedBy,
  type KindCounts,
  type Point,
  type PointCounts,
  type RequestBody,
  timeRange,
} from '../points/index.ts';
import type { Protocol } from '../wire/index.ts';
import type { BatchEncoder } from './batch-encoder.ts';
import type { PointRun } from './point-run.ts';

export class Batch {
  readonly #run: PointRun | undefined;
  #points: readonly Point[] | undefined;
  #body: RequestBody | undefined;

  private constructor(points: readonly Point[] | undefined, run: PointRun | undefined, body: RequestBody | undefined) {
    this.#points = points;
    this.#run = run;
    this.#body = body;
  }

  static ofPoints(points: readonly Point[]): Batch {
    return new Batch(points, undefined, undefined);
  }

  static ofRun(run: PointRun): Batch {
    return new Batch(undefined, run, undefined);
  }

  static ofBody(body: RequestBody): Batch {
    return new Batch(undefined, undefined, body);
  }

  get isEmpty(): boolean {
    return this.#points?.length === 0;
  }

  /** The points, if there is reason to look at each: not of a large body just to be on the safe side. */
  get pointsOfInterest(): readonly Point[] {
    const isAtHand = this.#points !== undefined || this.#run !== undefined;
    return isAtHand || this.#body?.isSuspected ? this.points : [];
  }

  /** @throws SnappyError, WireError, LabelError: if it was made of a body that is none. */
  get points(): readonly Point[] {
    this.#points ??= this.#run?.points ?? decodePoints(this.#body!.protocol, this.#body!.bytes);
    return this.#points;
  }

  /** Whatever the protocol. */
  get pointCounts(): PointCounts {
    return this.#run?.pointCounts ?? this.#body?.counts ?? countPoints(this.points);
  }

  /** Of at least one point. */
  get timeRange(): readonly [minTimestampMs: number, maxTimestampMs: number] {
    if (this.#run !== undefined) return this.#run.timeRange;
    if (this.#body !== undefined) return [this.#body.minTimestampMs, this.#body.maxTimestampMs];
    return timeRange(this.points);
  }

  /** What a request of this protocol has. */
  counts(protocol: Protocol): KindCounts {
    if (this.#body?.protocol === protocol) return this.#body.counts;
    return this.#run?.counts(protocol) ?? countKinds(protocol, this.points);
  }

  /** Only of what isn't empty. Throws as `points` does. */
  body(protocol: Protocol, encoder: BatchEncoder): RequestBody {
    if (this.#body?.protocol === protocol) return this.#body;
    const run = this.#run;
    const bytes = run ? encoder.encodeRun(protocol, run) : encoder.encodePoints(protocol, this.points);
    const [minTimestampMs, maxTimestampMs] = this.timeRange;
    const body = { protocol, bytes, counts: this.counts(protocol), minTimestampMs, maxTimestampMs };
    this.#body = body;
    return body;
  }

  /** Without what is older; itself if nothing is. */
  notOlderThan(oldestMs: number, onLost: (lost: readonly Point[]) => void): Batch {
    const isKnown = this.#body !== undefined || this.#run !== undefined;
    if (isKnown && this.timeRange[0] >= oldestMs) return this;
    return this.#keep((point) => point.timestampMs >= oldestMs, onLost);
  }

  /** Without what the protocol has no words for; itself if that is nothing. */
  carriedBy(protocol: Protocol, onLost: (lost: readonly Point[]) => void): Batch {
    if (protocol === '2.0' || this.#body?.protocol === protocol) return this;
    if (this.#run !== undefined && this.#run.others === undefined) return this;
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
