export { compressInto, maxCompressedLength, snappyCompress } from './compress.ts';
export { SnappyError, type SnappyErrorCode } from './errors.ts';
export { snappyUncompress } from './uncompress.ts';
