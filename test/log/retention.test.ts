import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EmbeddedLogOptions } from '../../src/log/index.ts';
import {
  errorOf,
  follow,
  openLog,
  readAll,
  record,
  segmentFiles,
  type TestDirectory,
  testDirectory,
  watchedFileSystem,
} from './helpers.ts';

let directory: TestDirectory;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => directory.remove());

const TIGHT = { maxAgeMs: 0, maxBytes: 0 };

/** A log with two records per segment: segments begin at 0, 2, 4, … */
async function logOf(records: number, options: Partial<EmbeddedLogOptions>) {
  const log = await openLog(directory.path, { segmentBytes: 1_000, retention: TIGHT, ...options });
  for (let i = 0; i < records; i++) await log.append([record(`${i % 10}`.repeat(400))]);
  return log;
}

test('nothing is deleted before the first release, and never anything above it or in the last segment', async () => {
  const log = await logOf(8, {});
  await log.runRetention(1e15);
  expect((await log.bounds(0)).start).toBe(0);
  for (const [below, start] of [
    [1, 0],
    [2, 2],
    [5, 4],
    [8, 6],
    [100, 6],
  ] as const) {
    log.release(new Map([[0, below]]));
    await log.runRetention(1e15);
    expect(await log.bounds(0)).toEqual({ start, end: 8 });
    expect(segmentFiles(directory.path)).toHaveLength((8 - start) / 2);
    expect((await readAll(log)).map((seen) => seen.offset)).toEqual(
      Array.from({ length: 8 - start }, (_, i) => start + i),
    );
  }
  expect(log.stats().deletedSegments).toBe(3);
  expect(await log.identify(0, 0)).toBeUndefined();
  const { recorder, consumer } = follow(log, 3);
  await recorder.until(() => recorder.errors.length > 0);
  expect(recorder.errors[0]!.error).toMatchObject({ code: 'offset_out_of_range' });
  await consumer.stop();
  await log.close();
});

test('a release is forgotten by a restart, and what was deleted stays deleted', async () => {
  let log = await logOf(8, {});
  log.release(new Map([[0, 5]]));
  await log.runRetention(1e15);
  await log.close();
  log = await openLog(directory.path, { segmentBytes: 1_000, retention: TIGHT });
  await log.runRetention(1e15);
  expect(await log.bounds(0)).toEqual({ start: 4, end: 8 });
  await log.close();
});

test('released segments stay until they are old enough, by their newest record, also after a restart', async () => {
  let nowMs = 0;
  const options = { segmentBytes: 1_000, now: () => nowMs, retention: { maxAgeMs: 100, maxBytes: 1e9 } };
  let log = await openLog(directory.path, options);
  for (let i = 0; i < 8; i++) {
    nowMs = i * 10;
    await log.append([record('x'.repeat(400))]);
  }
  await log.close();
  log = await openLog(directory.path, options);
  log.release(new Map([[0, 8]]));
  for (const [at, start] of [
    [110, 0],
    [111, 2],
    [130, 2],
    [131, 4],
    [1e9, 6],
  ] as const) {
    await log.runRetention(at);
    expect((await log.bounds(0)).start).toBe(start);
  }
  await log.close();
});

test('above its part of maxBytes a partition loses its oldest released segments, on a roll by itself', async () => {
  const segment = 48 + 2 * (28 + 4 + 400);
  const log = await logOf(8, { partitions: 2, retention: { maxAgeMs: 1e15, maxBytes: 2 * 3 * segment } });
  log.release(new Map([[0, 8]]));
  await log.runRetention(0);
  expect((await log.bounds(0)).start).toBe(2);
  for (let i = 0; i < 2; i++) await log.append([record('y'.repeat(400))]);
  await log.runRetention(0);
  expect((await log.bounds(0)).start).toBe(4);
  await log.close();
});

test('a reader in the middle of a deleted segment is told, and one behind it goes on', async () => {
  const log = await logOf(8, {});
  const behind = follow(log, 6);
  const inside = follow(log, 0);
  inside.recorder.whenBatch = () => inside.consumer.pause(0);
  await inside.recorder.until(() => inside.recorder.batches.length === 1);
  log.release(new Map([[0, 8]]));
  await log.runRetention(0);
  inside.consumer.resume(0);
  await inside.recorder.until(() => inside.recorder.errors.length > 0);
  expect(inside.recorder.errors[0]!.error).toMatchObject({ code: 'offset_out_of_range' });
  await behind.recorder.untilEnd(8);
  expect(behind.recorder.errors).toEqual([]);
  await log.close();
});

test('a segment that cannot be removed stays in the log and is tried again', async () => {
  let isBroken = true;
  const fileSystem = watchedFileSystem(({ operation }) => {
    if (operation === 'unlink' && isBroken) throw errorOf('EBUSY');
  });
  const log = await logOf(6, { fileSystem });
  log.release(new Map([[0, 6]]));
  await log.runRetention(1e15);
  expect((await log.bounds(0)).start).toBe(0);
  expect(await readAll(log)).toHaveLength(6);
  isBroken = false;
  await log.runRetention(1e15);
  expect((await log.bounds(0)).start).toBe(4);
  await log.close();
});

test('for any releases and appends, whatever is not released can be read', async () => {
  const step = fc.oneof(
    fc.record({ append: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ release: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.constant({ restart: true }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const own = testDirectory();
      const options = { segmentBytes: 300, retention: TIGHT };
      let log = await openLog(own.path, options);
      try {
        let released = 0;
        let end = 0;
        for (const one of steps) {
          if ('append' in one) {
            for (let i = 0; i < one.append; i++) await log.append([record('x'.repeat(100))]);
            end += one.append;
          } else if ('release' in one) {
            released = Math.max(released, Math.floor(one.release * end));
            log.release(new Map([[0, released]]));
          } else {
            await log.close();
            log = await openLog(own.path, options);
          }
          await log.runRetention(1e15);
          const { start } = await log.bounds(0);
          expect(start).toBeLessThanOrEqual(released);
          const offsets = (await readAll(log, 0, released)).map((seen) => seen.offset);
          expect(offsets).toEqual(Array.from({ length: end - released }, (_, i) => released + i));
        }
      } finally {
        await log.close();
        own.remove();
      }
    }),
    { numRuns: 20 },
  );
});
