// What the queue asks of the file system, of the real one.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { nodeFileSystem as fs } from '../../src/disk-queue/node-file-system.ts';
import { DiskQueueError } from '../../src/index.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'disk-queue-files-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

it('makes a new file only where there is none', async () => {
  const path = join(dir, 'a');
  const file = await fs.open(path, 'new');
  await file.write(Buffer.from('first'), 0);
  await expect(fs.open(path, 'new')).rejects.toMatchObject({ code: 'EEXIST' });
  await (await fs.open(path, 'create')).close();
  expect((await file.read(10, 0)).toString()).toBe('first');
  await file.close();
  await expect(fs.open(join(dir, 'b'), 'existing')).rejects.toMatchObject({ code: 'ENOENT' });
});

it('tells the size and the content of a file, or that there is none', async () => {
  await writeFile(join(dir, 'a'), 'twelve bytes');
  expect(await fs.size(join(dir, 'a'))).toBe(12);
  expect((await fs.read(join(dir, 'a')))?.toString()).toBe('twelve bytes');
  expect(await fs.size(join(dir, 'b'))).toBeUndefined();
  expect(await fs.read(join(dir, 'b'))).toBeUndefined();
  await fs.remove(join(dir, 'b'));
});

it('gives a file another name', async () => {
  await writeFile(join(dir, 'a'), 'x');
  await fs.rename(join(dir, 'a'), join(dir, 'b'));
  await fs.syncDirectory(dir);
  expect(await fs.list(dir)).toEqual(['b']);
});

it('says so where a directory cannot be made', async () => {
  await writeFile(join(dir, 'a'), 'x');
  expect(() => fs.lock(join(dir, 'a'))).toThrow(DiskQueueError);
});
