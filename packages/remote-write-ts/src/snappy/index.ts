export { compressInto, SnappyCompressor, snappyCompress } from './compress.ts';
export { matchLength, maxCompressedLength, putCopy, putLiteral, putPreamble } from './elements.ts';
export { SnappyError, type SnappyErrorCode } from './errors.ts';
export { snappyUncompress } from './uncompress.ts';
