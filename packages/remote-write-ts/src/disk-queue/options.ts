// The options of a disk queue.

import { SenderError } from '../errors/index.ts';
import { whole } from '../sender/index.ts';
import type { FileSystem } from './file-system.ts';

/**
 * When what is stored is told to survive the death of the machine; the death of the process it survives in any case.
 * `batch`: before it is sent. `interval`: within a second. `never`: when the system likes.
 */
export type FsyncPolicy = 'batch' | 'interval' | 'never';

export interface DiskQueueOptions {
  /** Of this client alone; made if it is missing. */
  dir: string;
  /** Of one file. Default: 67,108,864, or a fourth of `maxBytes` if that is less. */
  segmentBytes?: number;
  /** Beyond it the oldest segment is dropped. Default: 2,147,483,648. At least two segments. */
  maxBytes?: number;
  /** What waits longer is dropped. Default: 7,200,000. */
  maxAgeMs?: number;
  /** Default: `batch`. */
  fsync?: FsyncPolicy;
  /** For tests. Default: that of Node.js. */
  fileSystem?: FileSystem;
}

export interface ResolvedDiskQueue {
  dir: string;
  segmentBytes: number;
  maxBytes: number;
  maxAgeMs: number;
  fsync: FsyncPolicy;
}

const POLICIES: readonly FsyncPolicy[] = ['batch', 'interval', 'never'];
const MAX_SEGMENT_BYTES = 2 ** 30;
const DEFAULT_SEGMENT_BYTES = 64 * 2 ** 20;

/** @throws SenderError `bad_option` */
export function resolveDiskQueue(options: DiskQueueOptions): ResolvedDiskQueue {
  const { dir, fsync = 'batch' } = options;
  if (typeof dir !== 'string' || dir === '') throw new SenderError('bad_option', 'diskQueue.dir is missing');
  if (!POLICIES.includes(fsync)) {
    throw new SenderError('bad_option', `diskQueue.fsync is one of ${POLICIES.join(', ')}`);
  }
  const maxBytes = whole('diskQueue.maxBytes', options.maxBytes ?? 2 ** 31, Number.MAX_SAFE_INTEGER);
  const segmentBytes = whole(
    'diskQueue.segmentBytes',
    options.segmentBytes ?? Math.max(1, Math.min(DEFAULT_SEGMENT_BYTES, Math.floor(maxBytes / 4))),
    MAX_SEGMENT_BYTES,
  );
  if (maxBytes < 2 * segmentBytes) {
    throw new SenderError('bad_option', 'diskQueue.maxBytes is less than two of diskQueue.segmentBytes');
  }
  const maxAgeMs = whole('diskQueue.maxAgeMs', options.maxAgeMs ?? 7_200_000, Number.MAX_SAFE_INTEGER);
  return { dir, segmentBytes, maxBytes, maxAgeMs, fsync };
}
