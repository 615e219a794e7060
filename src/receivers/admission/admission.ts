// Decides where a body is decoded: a small one here and now, a large one in a worker thread, so that nobody else waits for it. Bodies of
// middling size have a thread of their own: they don't wait for the largest, which may take seconds.

import { Worker } from 'node:worker_threads';
import type { AdmittedRequest } from '../../otlp/split/index.ts';
import { BodyFault, type BodyFormat, type DecodeTask, decodeBody, HEAP_LIMIT_BYTES } from './decode-body.ts';
import { faultRefusal, Lane } from './lane.ts';

/**
 * Bytes of the largest body of a format that is decoded on the main thread. The worst that was found for each (2-byte spans, unquoted
 * numbers between zeros, a service per span) takes 20 ms at this size; usual spans take 2 ms.
 */
const MAIN_THREAD_BYTES: Record<BodyFormat, number> = {
  otlp_proto: 256 * 1024,
  otlp_json: 64 * 1024,
  zipkin_proto: 64 * 1024,
  zipkin_json: 64 * 1024,
};

/** What collectors send by default is smaller, and the worst of this size takes 1.5 s. */
const MIDDLING_BYTES = 4 * 1024 * 1024;

const IDLE_MS = 10_000;

export interface AdmissionOptions {
  mainThreadBytes?: number;
  startWorker?(): Worker;
  idleMs?: number;
}

export interface Admission {
  /**
   * Checks a body fully and makes it the parts that are to be appended. `bytes` may be empty afterwards: it went to another thread.
   * `isGone`: nobody waits for the answer any more; asked when a body's turn has come.
   * @throws Refusal `bad_json`, `bad_protobuf`, `too_complex`, `worker_lost`, `stopping`; BodyAborted if it was gone
   */
  admit(bytes: Uint8Array, task: DecodeTask, isGone: () => boolean): AdmittedRequest | Promise<AdmittedRequest>;
  /** Refuses what is with a worker, and all that would go to one from now on. Idempotent. */
  stop(): void;
}

export function createAdmission(options: AdmissionOptions = {}): Admission {
  const { startWorker = startAdmissionWorker, idleMs = IDLE_MS } = options;
  const middling = new Lane({ startWorker, idleMs });
  const large = new Lane({ startWorker, idleMs });
  return {
    admit(bytes, task, isGone) {
      if (bytes.length > (options.mainThreadBytes ?? MAIN_THREAD_BYTES[task.format])) {
        return (bytes.length > MIDDLING_BYTES ? large : middling).admit(bytes, task, isGone);
      }
      try {
        return decodeBody(bytes, task);
      } catch (error) {
        throw error instanceof BodyFault ? faultRefusal(error) : error;
      }
    },
    stop() {
      middling.stop();
      large.stop();
    },
  };
}

/** The worker runs the file that lies beside this one: compiled, or the source where this is the source. */
function startAdmissionWorker(): Worker {
  const isSource = import.meta.url.endsWith('.ts');
  return new Worker(new URL(`./admission-worker.${isSource ? 'ts' : 'js'}`, import.meta.url), {
    // Above what decode-body.ts lets in. It is the last resort only: a parser that reaches it may end the process.
    // The stack is the main thread's: how deep a body may nest does not depend on its size.
    resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT_BYTES / 1e6, stackSizeMb: 1 },
    ...(isSource ? { execArgv: ['--conditions=source'] } : {}),
  });
}
