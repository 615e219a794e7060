// The errors of opening a disk queue. What happens to it later is counted: a full disk is no reason to lose more than it must.

/**
 * - `locked`: another client, of this process or another, has the directory open.
 * - `unknown_format`: written by a later version.
 * - `unreadable`: the file system refuses to make, list or read it; `cause` says how.
 * - `closed`: appended to after it was closed.
 */
export type DiskQueueErrorCode = 'locked' | 'unknown_format' | 'unreadable' | 'closed';

export class DiskQueueError extends Error {
  readonly code: DiskQueueErrorCode;
  constructor(code: DiskQueueErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'DiskQueueError';
    this.code = code;
  }
}
