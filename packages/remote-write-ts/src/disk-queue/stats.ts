// What a disk queue tells of itself.

import type { PointCounts } from '../points/index.ts';

/**
 * Why bodies left the disk queue without having been sent.
 * - `disk_max_bytes`, `disk_max_age`: the oldest, beyond a limit.
 * - `disk_damaged`: their bytes can't be read any more.
 */
export type DiskDropReason = 'disk_max_bytes' | 'disk_max_age' | 'disk_damaged';

/** Bodies are counted, not points; sums since the queue was opened, and what is now. */
export interface DiskQueueStats {
  /** Bodies that have no final fate, with their points, those on their way included. */
  bodies: number;
  points: PointCounts;
  segments: number;
  /** Size of all segments, what is settled in them and what is put aside included. */
  sizeBytes: number;
  /** Segments that were given up because they couldn't be read, as long as they are kept. */
  aside: { files: number; sizeBytes: number };
  /** When the oldest body without a final fate was stored, ms since the Unix epoch; 0 if there is none. */
  oldestMs: number;
  /** Found without a final fate when the queue was opened. */
  replayed: number;
  stored: number;
  /** Sent from memory because the disk didn't take them: they would not have survived a crash. */
  unstored: number;
  settled: number;
  dropped: Record<DiskDropReason, number>;
  /**
   * Bodies that were stored and can't be found any more, as far as their numbers are known: nobody knows how many points they
   * had. Those of segments that were given up are among them.
   */
  lost: number;
  /** Segments that couldn't be read or understood, or only in parts. */
  unreadable: number;
  /** Cut from the ends of segments when the queue was opened: what was being written when the process or the machine died. */
  tornBytes: number;
  /** Calls of the file system that failed, by what they were for. */
  errors: Record<DiskErrorKind, number>;
  /** The latest of them. */
  lastError?: string;
}

export type DiskErrorKind = 'write' | 'sync' | 'read' | 'cursor' | 'remove';
