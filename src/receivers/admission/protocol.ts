// What the main thread and an admission worker say to each other: one task, then its answer.

import type { AdmittedRequest } from '../../otlp/split/index.ts';
import type { BodyFault, DecodeTask } from './decode-body.ts';

/** `bytes` moves to the worker, and its parts move back. */
export interface ToWorker {
  bytes: Uint8Array;
  task: DecodeTask;
}

/** An error that is not the body's is handed on as it is: it would have been the same on the main thread. */
export type FromWorker =
  | { type: 'admitted'; admitted: AdmittedRequest }
  | { type: 'fault'; reason: BodyFault['reason']; message: string; field: string | undefined }
  | { type: 'error'; error: unknown };
