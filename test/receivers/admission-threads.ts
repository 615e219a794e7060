// Admission workers that a test holds back or lets end, in place of the ones that start by themselves.

import { Worker } from 'node:worker_threads';

const REAL = new URL('../../src/receivers/admission/admission-worker.ts', import.meta.url).href;
const execArgv = ['--conditions=source'];

export function realWorker(): Worker {
  return new Worker(new URL(REAL), { execArgv });
}

/** Ends with the code as soon as it is sent a body. */
export function exitingWorker(code: number): Worker {
  return new Worker(`require('node:worker_threads').parentPort.once('message', () => process.exit(${code}));`, {
    eval: true,
  });
}

/** Fills its heap as soon as it is sent a body, in pieces: so V8 has an occasion to end the thread alone. */
export function fillingWorker(): Worker {
  const code = `require('node:worker_threads').parentPort.once('message', () => {
    const kept = [];
    for (;;) kept.push(Array.from({ length: 1_000 }, (_, i) => [i]));
  });`;
  return new Worker(code, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 32 } });
}

/** Can't be started. */
export function missingWorker(): Worker {
  return new Worker(new URL('./no-such-worker.js', import.meta.url));
}

/** Workers that do what real ones do, once they are let. */
export class HeldWorkers {
  started = 0;
  exited = 0;
  private readonly gate = new Int32Array(new SharedArrayBuffer(4));

  start = (): Worker => {
    this.started++;
    const code = `
      const { gate } = require('node:worker_threads').workerData;
      Atomics.wait(gate, 0, 0);
      import(${JSON.stringify(REAL)});
    `;
    const worker = new Worker(code, { eval: true, execArgv, workerData: { gate: this.gate } });
    worker.once('exit', () => this.exited++);
    return worker;
  };

  release(): void {
    Atomics.store(this.gate, 0, 1);
    Atomics.notify(this.gate, 0);
  }
}
