// The memory of a batch: handed over from thread to thread, and freed where it ends.

import type { LogBatch } from '../log/index.ts';

/** Each once. */
export function buffersOf(batch: LogBatch): ArrayBuffer[] {
  const { bytes, offsets, timestampsMs, encodings, tenantOf, starts } = batch;
  return [...new Set([bytes, offsets, timestampsMs, encodings, tenantOf, starts].map((a) => a.buffer as ArrayBuffer))];
}

/**
 * Frees it now: the garbage collector looks at a thread's whole heap each time that some batches have come in. Whoever still has a
 * view of it finds that empty.
 */
export function freeBatch(batch: LogBatch): void {
  for (const buffer of buffersOf(batch)) buffer.transfer(0);
}
