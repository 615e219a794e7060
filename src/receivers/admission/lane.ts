// A worker thread and the bodies that wait for it. Only one is with the worker at a time, so that a worker that ends takes no other body
// with it. Tenants take turns: however much one sends, another waits for one body of it. The bytes that wait are bounded where they are
// counted: by the receivers, which hold them until they are answered.

import type { Worker } from 'node:worker_threads';
import type { AdmittedRequest } from '../../otlp/split/index.ts';
import { BodyAborted } from '../otlp-http/body.ts';
import { Refusal } from '../otlp-http/refusal.ts';
import type { DecodeTask } from './decode-body.ts';
import type { FromWorker, ToWorker } from './protocol.ts';

export interface LaneOptions {
  startWorker(): Worker;
  /** A worker without work ends after so long, and gives its memory back. */
  idleMs: number;
}

interface Job {
  bytes: Uint8Array;
  task: DecodeTask;
  isGone(): boolean;
  result: PromiseWithResolvers<AdmittedRequest>;
}

export class Lane {
  private readonly options: LaneOptions;
  /** By tenant; the first is the next. */
  private readonly waiting = new Map<string, Job[]>();
  private current: Job | undefined;
  private worker: Worker | undefined;
  private idle: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(options: LaneOptions) {
    this.options = options;
  }

  /**
   * `bytes` is empty afterwards if it owned its memory: it went to the worker. `isGone` is asked before that: nobody waits any more.
   * @throws Refusal, BodyAborted
   */
  admit(bytes: Uint8Array, task: DecodeTask, isGone: () => boolean): Promise<AdmittedRequest> {
    const result = Promise.withResolvers<AdmittedRequest>();
    const job = { bytes, task, isGone, result };
    if (this.stopped) refuse(job);
    else {
      const queue = this.waiting.get(task.tenant);
      if (queue === undefined) this.waiting.set(task.tenant, [job]);
      else queue.push(job);
      this.next();
    }
    return result.promise;
  }

  /** Refuses what is under way, and all that comes. Doesn't wait for the thread: it may be in the middle of a parse, which no one can end. */
  stop(): void {
    this.stopped = true;
    if (this.current) refuse(this.current);
    this.current = undefined;
    for (const queue of this.waiting.values()) queue.forEach(refuse);
    this.waiting.clear();
    this.endWorker();
  }

  private next(): void {
    if (this.current !== undefined) return;
    clearTimeout(this.idle);
    const job = this.take();
    if (job === undefined) {
      this.idle = setTimeout(() => this.endWorker(), this.options.idleMs);
      this.idle.unref();
      return;
    }
    this.current = job;
    const { bytes, task } = job;
    // A Buffer's `slice` would be no copy.
    const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
    try {
      this.worker ??= this.startWorker();
      this.worker.postMessage({ bytes: own, task } satisfies ToWorker, [own.buffer as ArrayBuffer]);
    } catch (error) {
      this.finish(({ result }) => result.reject(error));
    }
  }

  /** The next body that somebody waits for; its tenant goes to the end of the row. */
  private take(): Job | undefined {
    for (const [tenant, queue] of this.waiting) {
      this.waiting.delete(tenant);
      let job = queue.shift();
      while (job?.isGone()) {
        job.result.reject(new BodyAborted('the client went away'));
        job = queue.shift();
      }
      if (queue.length > 0) this.waiting.set(tenant, queue);
      if (job !== undefined) return job;
    }
    return undefined;
  }

  private startWorker(): Worker {
    const worker = this.options.startWorker();
    let cause: Error | undefined;
    worker.unref();
    worker.on('message', (message: FromWorker) => {
      if (worker === this.worker) this.finish((job) => settle(job, message));
    });
    // An `exit` follows.
    worker.on('error', (error: Error) => {
      cause = error;
    });
    worker.on('exit', (code) => {
      if (worker !== this.worker) return;
      this.worker = undefined;
      this.finish((job) => job.result.reject(lost(cause ?? new Error(`exit code ${code}`))));
    });
    return worker;
  }

  private finish(end: (job: Job) => void): void {
    const job = this.current;
    this.current = undefined;
    if (job !== undefined) end(job);
    this.next();
  }

  private endWorker(): void {
    clearTimeout(this.idle);
    void this.worker?.terminate();
    this.worker = undefined;
  }
}

function settle({ result }: Job, message: FromWorker): void {
  switch (message.type) {
    case 'admitted':
      result.resolve(message.admitted);
      break;
    case 'fault':
      result.reject(faultRefusal(message));
      break;
    case 'error':
      result.reject(message.error);
      break;
  }
}

export function faultRefusal(
  fault: Pick<Extract<FromWorker, { type: 'fault' }>, 'reason' | 'message' | 'field'>,
): Refusal {
  const { reason, message, field } = fault;
  return new Refusal(reason, message, field === undefined ? {} : { field });
}

/** A body that has used up the thread's memory would do so again; what else ends a thread may not be the body's fault. */
function lost(cause: Error): Refusal {
  return 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY'
    ? new Refusal('too_complex', 'the body needs more memory to be read than it may have', { cause })
    : new Refusal('worker_lost', 'the thread that read the body has ended', { cause });
}

function refuse({ result }: Job): void {
  result.reject(new Refusal('stopping', 'the receiver stopped before the body was read'));
}
