import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acquireLock } from '../../src/log/index.ts';
import { openLog, readAll, type TestDirectory, testDirectory } from './helpers.ts';

let directory: TestDirectory;
let child: ChildProcess | undefined;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => {
  child?.kill('SIGKILL');
  child = undefined;
  directory.remove();
});

/** Starts the appending process and waits until it has been acknowledged `count` times. */
async function startChild(count: number): Promise<{ acknowledged: string[]; killed: () => Promise<void> }> {
  const script = path.join(import.meta.dirname, 'child-append.ts');
  const started = spawn(process.execPath, ['--conditions=source', script, directory.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = started;
  const acknowledged: string[] = [];
  const lines = createInterface({ input: started.stdout });
  const closed = new Promise<void>((resolve) => lines.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    started.once('exit', () => reject(new Error('the child ended by itself')));
    lines.on('line', (line) => {
      // The last line may be torn by the kill: it counts only if it is whole, which its form shows.
      if (/^\d \d+$/.test(line)) acknowledged.push(line);
      if (acknowledged.length === count) resolve();
    });
  });
  return {
    acknowledged,
    async killed() {
      started.kill('SIGKILL');
      await closed;
    },
  };
}

test('after kill -9 everything that was acknowledged is there, and the lock is free', async () => {
  const { acknowledged, killed } = await startChild(300);
  await killed();
  // A torn last line could be a shorter number: leave it out.
  acknowledged.pop();
  const log = await openLog(directory.path, { partitions: 2 });
  for (const partition of [0, 1]) {
    const seen = await readAll(log, partition);
    expect(seen.map((one) => one.offset)).toEqual(seen.map((_, i) => i));
    const ids = new Set(seen.map((one) => one.text.slice(0, one.text.indexOf(':'))));
    const expected = acknowledged.filter((line) => line.startsWith(`${partition} `)).map((line) => line.slice(2));
    expect(expected.filter((id) => !ids.has(id))).toEqual([]);
    expect(expected.length).toBeGreaterThan(50);
  }
  expect(log.stats().partitions[0]!.segments).toBeGreaterThan(1);
  await log.close();
});

test('a log that another process has open is refused in one line that names it', async () => {
  const { killed } = await startChild(1);
  const refused = openLog(directory.path, { partitions: 2 });
  await expect(refused).rejects.toMatchObject({ name: 'LogError', code: 'log_locked' });
  await expect(refused).rejects.toThrow(new RegExp(`^${directory.path}[^\n]* is locked[^\n]*$`));
  await killed();
});

test('within a process a log is open once, and again after it was closed', async () => {
  const first = await openLog(directory.path);
  await expect(openLog(directory.path)).rejects.toMatchObject({ code: 'log_locked' });
  await Promise.all([first.close(), first.close()]);
  await (await openLog(directory.path)).close();
});

test('an opening that fails frees the lock', async () => {
  await (await openLog(directory.path, { partitions: 2 })).close();
  await expect(openLog(directory.path, { partitions: 1 })).rejects.toMatchObject({ code: 'log_incompatible' });
  await (await openLog(directory.path, { partitions: 2 })).close();
});

test('a lock can be released twice without freeing the next holder', () => {
  const file = path.join(directory.path, 'a.sqlite');
  const first = acquireLock(file);
  first.release();
  const second = acquireLock(file);
  first.release();
  expect(() => acquireLock(file)).toThrow(/is locked/);
  second.release();
});
