export { DiskQueue, type DiskQueueHooks } from './disk-queue.ts';
export { DiskQueueError, type DiskQueueErrorCode } from './errors.ts';
export type { DiskFile, FileSystem } from './file-system.ts';
export type { DiskQueueOptions, FsyncPolicy } from './options.ts';
export type { DiskDropReason, DiskErrorKind, DiskQueueStats } from './stats.ts';
