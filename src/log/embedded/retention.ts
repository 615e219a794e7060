// Deletes old segments. Must never delete a segment that is written to, that isn't below the released offset as a whole, or
// that has an older one before it which stays.
import { asLogError } from './errors.ts';
import type { LogFileSystem } from './file-system.ts';
import type { ReadAccess } from './read-access.ts';
import type { Logger } from './recovery.ts';
import { endOffsetOf, type PartitionState } from './segment.ts';

export interface RetentionLimits {
  maxAgeMs: number;
  /** Of this partition alone. */
  maxBytes: number;
}

/** Whether the oldest segment may go: it is sealed, released, and too old or part of too much. */
export function isOldestDue(state: PartitionState, released: number, limits: RetentionLimits, nowMs: number): boolean {
  const oldest = state.segments[0];
  if (oldest === undefined || state.segments.length < 2 || endOffsetOf(state, 0) > released) return false;
  return nowMs - oldest.lastTimestampMs > limits.maxAgeMs || partitionBytes(state) > limits.maxBytes;
}

export function partitionBytes(state: PartitionState): number {
  let total = 0;
  for (const segment of state.segments) total += segment.endPosition;
  return total;
}

/** Deletes what is due; the number of segments deleted. A file that can't be removed stays in the log and is tried again later. */
export async function deleteDue(
  state: PartitionState,
  released: () => number,
  limits: RetentionLimits,
  nowMs: number,
  fileSystem: LogFileSystem,
  access: ReadAccess,
  logger: Logger | undefined,
): Promise<number> {
  let deleted = 0;
  while (isOldestDue(state, released(), limits, nowMs)) {
    // Out of the list first: a reader that comes now is told that the offset is gone, not that a file is missing.
    const oldest = state.segments.shift()!;
    try {
      await fileSystem.unlink(oldest.path);
      // After the unlink: a reader may have opened the file until then, and an open file keeps its space.
      await access.drop(oldest.path);
      deleted++;
    } catch (cause) {
      state.segments.unshift(oldest);
      logger?.warn({ file: oldest.path, error: asLogError(cause, 'unlink').message }, 'segment could not be deleted');
      break;
    }
  }
  return deleted;
}
