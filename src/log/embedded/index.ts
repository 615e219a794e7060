export { crc32c } from './crc32c.ts';
export type { LogFile, LogFileSystem, OpenFlags } from './file-system.ts';
export { nodeFileSystem } from './file-system.ts';
export { acquireLock, type Lock } from './lock.ts';
export { openEmbeddedLog } from './log.ts';
export {
  type EmbeddedLog,
  type EmbeddedLogOptions,
  type EmbeddedLogStats,
  MAX_RECORD_BYTES,
  type PartitionStats,
} from './options.ts';
export type { Logger } from './recovery.ts';
