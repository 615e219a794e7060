// An admission worker's thread: a body in, its parts out, one at a time. What it does is in decode-body.ts.

import { parentPort } from 'node:worker_threads';
import { BodyFault, decodeBody } from './decode-body.ts';
import type { FromWorker, ToWorker } from './protocol.ts';

const main = parentPort!;
const answer = (message: FromWorker, transfer: ArrayBuffer[] = []): void => main.postMessage(message, transfer);

main.on('message', ({ bytes, task }: ToWorker) => {
  try {
    const admitted = decodeBody(bytes, task);
    answer(
      { type: 'admitted', admitted },
      admitted.parts.map((part) => part.bytes.buffer as ArrayBuffer),
    );
  } catch (error) {
    if (error instanceof BodyFault) {
      answer({ type: 'fault', reason: error.reason, message: error.message, field: error.field });
    } else answer({ type: 'error', error });
  }
});
