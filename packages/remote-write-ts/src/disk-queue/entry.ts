// A body in the queue, as the memory knows it: what it holds and where it stands.

import type { RequestBody } from '../points/index.ts';

/** A segment, as long as its file is there. */
export interface Segment {
  readonly path: string;
  readonly firstSequence: number;
  readonly number: number;
  /** So many sequences before the first were never given. */
  readonly jumped: number;
  /** This and the salt are not known before it has been read. */
  shards: number;
  salt: number;
  sizeBytes: number;
  /** Its bodies without a final fate, from the moment on when they are written; one more if it is still to be read. */
  unsettled: number;
  /** It couldn't be read, or not all of it: in the end it is put aside, not removed. */
  isHurt: boolean;
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
  /** Not where the disk didn't take it, nor where its segment was dropped while it was on its way. */
  isStored: boolean;
  /** It may have been sent before. */
  readonly isRepeat: boolean;
  /** Only of those that go next: the others would fill the memory. */
  bytes: Uint8Array | undefined;
  isUnderWay: boolean;
  /** Tells who appended it that it is safe; missing where that has been told. */
  accept: (() => void) | undefined;
}

/** A segment that couldn't be read when the queue was opened. Nothing behind it is sent before it is, or is given up. */
export interface Unread {
  readonly segment: Segment;
  /** All of its sequences are below. */
  readonly endSequence: number;
  /** Those up to here were stored, for all that is known. */
  knownEnd: number;
}
