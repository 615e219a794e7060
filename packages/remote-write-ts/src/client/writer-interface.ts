// What a writer does for those who have points, bodies, or a queue of them.

import type { SeriesMetadata } from '../labels/index.ts';
import type { Point, PointCounts, RequestBody } from '../points/index.ts';
import type { SenderStats } from '../sender/index.ts';
import type { Protocol } from '../wire/index.ts';
import type { Batch } from './batch.ts';
import type { WriteOutcome } from './outcome.ts';

export interface WriteOptions {
  signal?: AbortSignal;
  /**
   * The batch may have been stored before, as after a restart: a refusal is expected then, and no reason to look for a
   * series at fault.
   */
  isRepeat?: boolean;
  /** Told of the points of each request that was refused for good: all of them, an outcome names the first few. What it throws is ignored. */
  onRefused?: (points: readonly Point[]) => void;
}

export interface Writer {
  readonly name: string;
  /** What the endpoint is known to speak; undefined until it has shown it. */
  readonly protocol: Protocol | undefined;
  /**
   * Retries network errors, timeouts, 429 and 5xx for ever: until the signal aborts. Writes may run side by side; each of
   * them keeps the order of its points.
   * Rejects only for a mistake of the caller, such as a point that `checkPoint` wouldn't take.
   */
  write(points: readonly Point[], options?: WriteOptions): Promise<WriteOutcome>;
  /**
   * The same for a body made before, by `encode` or elsewhere. It goes as it is, unless the endpoint speaks the other
   * protocol, refuses it, or a part of it has become too old: then it is read and written anew.
   * Rejects as well if it has to be read and is no body.
   */
  writeBody(body: RequestBody, options?: WriteOptions): Promise<WriteOutcome>;
  /**
   * Bodies of these points in the protocol that `write` would try first, to be written in their order; those of series
   * under suspicion apart.
   */
  encode(points: readonly Point[]): EncodedBodies;
  /** One attempt to tell a 1.0 receiver the metadata of families. True if it took them. */
  writeMetadata(families: readonly SeriesMetadata[], signal?: AbortSignal): Promise<boolean>;
  stats(): SenderStats;
  /** Aborts what is under way and closes the connections. Idempotent. */
  close(): Promise<void>;
}

export interface EncodedBodies {
  bodies: RequestBody[];
  dropped: Record<'custom_buckets', PointCounts>;
}

/** The same for a queue, which has other batches than points. */
export interface BatchWriter extends Writer {
  writeBatch(batch: Batch, options?: WriteOptions): Promise<WriteOutcome>;
  encodeBatch(batch: Batch): EncodedBodies;
}
