// A part of the bench in a process of its own, so that no part runs in code that another has warmed up or memory that another
// has filled.

import { fork } from 'node:child_process';
import { join } from 'node:path';

/** In the child: runs when it is asked to, tells the result, and goes. */
export function answer<T extends unknown[]>(run: (...given: T) => Promise<unknown>): void {
  process.once('message', async (given) => {
    const result = await run(...(given as T));
    process.send!(result, () => process.disconnect());
  });
}

/** @param file beside this one; it calls `answer`. */
export function forked<R>(file: string, given: unknown[], execArgv: readonly string[] = []): Promise<R> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, file), [], { execArgv: [...process.execArgv, ...execArgv] });
    child.once('message', (result) => resolve(result as R));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
    child.send(given);
  });
}
