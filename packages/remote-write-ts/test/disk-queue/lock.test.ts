import { fork } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/disk-queue/node-file-system.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'disk-queue-lock-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

it('a directory has one holder at a time, which is made for it alone', async () => {
  const dir = join(directory, 'deep', 'own');
  const first = nodeFileSystem.lock(dir);
  expect(() => nodeFileSystem.lock(dir)).toThrow(expect.objectContaining({ code: 'locked' }));
  first.release();
  first.release();
  nodeFileSystem.lock(dir).release();
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
});

it('a directory that cannot be made is said to be unreadable', () => {
  expect(() => nodeFileSystem.lock('/dev/null/queue')).toThrow(expect.objectContaining({ code: 'unreadable' }));
});

it('a process that is killed frees its directory', async () => {
  const dir = join(directory, 'killed');
  const child = fork(join(import.meta.dirname, 'lock-child.ts'), [dir]);
  await new Promise((resolve) => child.once('message', resolve));
  expect(() => nodeFileSystem.lock(dir)).toThrow(expect.objectContaining({ code: 'locked' }));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  nodeFileSystem.lock(dir).release();
});
