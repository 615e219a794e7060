// A body in the queue, as the memory knows it: what it holds and where it stands.

import type { RequestBody } from '../points/index.ts';

/** A segment, as long as its file is there. */
export interface Segment {
  readonly path: string;
  readonly shards: number;
  readonly firstSequence: number;
  readonly salt: number;
  sizeBytes: number;
  /** Its bodies without a final fate. */
  unsettled: number;
}

export interface Place {
  readonly segment: Segment;
  readonly sequence: number;
  /** Where the body's bytes begin. */
  readonly bodyAt: number;
  readonly bodyBytes: number;
  readonly bodyCrc: number;
}

export interface Entry {
  readonly body: Omit<RequestBody, 'bytes'>;
  readonly shard: number;
  /** How many were appended before it, in this process; -1 if it was found. */
  readonly order: number;
  /** Milliseconds since the Unix epoch. */
  readonly storedMs: number;
  /** Missing: the disk didn't take it, and it is only here. */
  readonly place: Place | undefined;
  /** It may have been sent before. */
  readonly isRepeat: boolean;
  /** Only of those that go next: the others would fill the memory. */
  bytes: Uint8Array | undefined;
  isUnderWay: boolean;
  /** Tells who appended it that it is safe; missing where that has been told. */
  accept: (() => void) | undefined;
}
