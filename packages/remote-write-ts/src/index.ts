// Prometheus remote-write: labels, wire, snappy and a retrying sender, each usable alone.

export * from './labels/index.ts';
export * from './sender/index.ts';
export { SnappyError, type SnappyErrorCode, snappyCompress, snappyUncompress } from './snappy/index.ts';
export * from './wire/index.ts';
