// Preloaded into spanmill: a shard worker ends as soon as it takes a record with the pill in hand.
import process from 'node:process';
import { isMainThread, workerData } from 'node:worker_threads';

if (!isMainThread && workerData?.ledgerPort) {
  const original = Uint8Array.prototype.subarray;
  Uint8Array.prototype.subarray = function subarray(start, end) {
    const part = original.call(this, start, end);
    if (part.length > 50 && Buffer.from(part.buffer, part.byteOffset, part.length).includes('poison-pill'))
      process.exit(9);
    return part;
  };
}
