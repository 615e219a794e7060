import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AppendRecord, crc32c, ENCODINGS } from '../../src/log/index.ts';
import {
  openLog,
  Recorder,
  readAll,
  record,
  recordsOf,
  segmentFiles,
  type TestDirectory,
  testDirectory,
} from './helpers.ts';

let directory: TestDirectory;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => directory.remove());

const anyRecord: fc.Arbitrary<AppendRecord> = fc.record({
  partition: fc.nat(2),
  tenant: fc.constantFrom('', 'acme', 'größer', 'anonymous'),
  encoding: fc.constantFrom(...ENCODINGS),
  bytes: fc
    .tuple(fc.oneof(fc.nat(40), fc.nat(3_000)), fc.nat(255))
    .map(([length, seed]) => Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 255)),
});

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

test('what was appended is read back in order, over segments and restarts', async () => {
  const steps = fc.array(fc.oneof(fc.array(anyRecord, { maxLength: 8 }), fc.constant('restart' as const)), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const own = testDirectory();
      const options = { partitions: 3, segmentBytes: 4_096 };
      let log = await openLog(own.path, options);
      const expected: AppendRecord[][] = [[], [], []];
      try {
        for (const step of list) {
          if (step === 'restart') {
            await log.close();
            log = await openLog(own.path, options);
          } else {
            await log.append(step);
            for (const one of step) expected[one.partition]!.push(one);
          }
        }
        for (const [partition, records] of expected.entries()) {
          const seen = await readAll(log, partition);
          expect(seen).toEqual(
            records.map(({ tenant, encoding, bytes }, offset) => {
              return { offset, timestampMs: 1_000, tenant, encoding, text: textOf(bytes) };
            }),
          );
          expect(await log.bounds(partition)).toEqual({ start: 0, end: records.length });
          for (const [offset, { bytes }] of records.entries()) {
            expect(await log.identify(partition, offset)).toEqual({ timestampMs: 1_000, crc: crc32c(bytes) });
          }
          expect(await log.identify(partition, records.length)).toBeUndefined();
        }
        expect(log.stats().tornBytes).toBe(0);
      } finally {
        await log.close();
        own.remove();
      }
    }),
    { numRuns: 25 },
  );
});

describe('segments', () => {
  test('a segment is full when the next group would make it larger, and is named after its first offset', async () => {
    const log = await openLog(directory.path, { segmentBytes: 1_000 });
    for (let i = 0; i < 10; i++) await log.append([record('x'.repeat(400))]);
    expect(segmentFiles(directory.path).map((file) => Number(file.slice(-28, -8)))).toEqual([0, 2, 4, 6, 8]);
    expect((await readAll(log, 0, 5)).map((seen) => seen.offset)).toEqual([5, 6, 7, 8, 9]);
    await log.close();
  });

  test('a record larger than a segment and than a read window is kept whole', async () => {
    const log = await openLog(directory.path, { segmentBytes: 10_000 });
    const large = record('L'.repeat(3_000_000));
    await log.append([record('before'), large, record('after')]);
    await log.append([large]);
    const texts = (await readAll(log)).map((seen) => seen.text.length);
    expect(texts).toEqual([6, 3_000_000, 5, 3_000_000]);
    expect((await log.identify(0, 3))?.crc).toBe(crc32c(large.bytes));
    await log.close();
    const again = await openLog(directory.path, { segmentBytes: 10_000 });
    expect((await readAll(again)).map((seen) => seen.text.length)).toEqual(texts);
    await again.close();
  });
});

test('timestamps never go back, within a run and over a restart, when the clock does', async () => {
  let nowMs = 5_000;
  const options = { now: () => nowMs, segmentBytes: 100 };
  let log = await openLog(directory.path, options);
  for (const next of [5_000, 4_000, 6_000, 10, 6_001]) {
    nowMs = next;
    await log.append([record('x'.repeat(60))]);
  }
  await log.close();
  nowMs = 3;
  log = await openLog(directory.path, options);
  await log.append([record('y')]);
  expect((await readAll(log)).map((seen) => seen.timestampMs)).toEqual([5_000, 5_000, 6_000, 6_000, 6_001, 6_001]);
  await log.close();
});

test('a batch ends at 2,000 records or one MiB, a larger record goes alone, and every array owns its buffer', async () => {
  const log = await openLog(directory.path, { segmentBytes: 64 * 1024 * 1024 });
  const small = Array.from({ length: 4_100 }, (_, i) => record(`s${i}`));
  const middle = Array.from({ length: 5 }, () => record('m'.repeat(400_000)));
  const tail = new Recorder();
  const tailing = log.consume(new Map([[0, 0]]), tail);
  await tail.untilEnd(0);
  await log.append([...small, ...middle, record('l'.repeat(1_500_000)), record('last')]);
  const late = new Recorder();
  const reading = log.consume(new Map([[0, 0]]), late);
  await Promise.all([late.untilEnd(4_107), tail.untilEnd(4_107)]);
  await Promise.all([tailing.stop(), reading.stop()]);
  for (const recorder of [tail, late]) {
    expect(recorder.records().map((seen) => seen.offset)).toEqual(Array.from({ length: 4_107 }, (_, i) => i));
    for (const batch of recorder.batches) {
      expect(batch.count).toBeLessThanOrEqual(2_000);
      expect(batch.count === 1 || batch.bytes.length <= 1024 * 1024).toBe(true);
      const arrays = [batch.offsets, batch.timestampsMs, batch.encodings, batch.tenantOf, batch.starts, batch.bytes];
      expect(new Set(arrays.map((array) => array.buffer)).size).toBe(6);
      const before = recordsOf(batch);
      const moved = structuredClone(batch, { transfer: arrays.map((array) => array.buffer as ArrayBuffer) });
      expect(recordsOf(moved)).toEqual(before);
    }
  }
  expect(tail.batches.length).toBeLessThan(12);
  await log.close();
});

test('the partitions of one append are each durable and ordered; an unknown one is refused before anything is written', async () => {
  const log = await openLog(directory.path, { partitions: 2 });
  await log.append([record('a', 0), record('b', 1), record('c', 0)]);
  await expect(log.append([record('d', 0), record('e', 2)])).rejects.toThrow(RangeError);
  expect((await readAll(log, 0)).map((seen) => seen.text)).toEqual(['a', 'c']);
  expect((await readAll(log, 1)).map((seen) => seen.text)).toEqual(['b']);
  await log.close();
});

test('a value or a tenant above the limits is refused', async () => {
  const log = await openLog(directory.path);
  const tooLarge = { ...record('x'), bytes: new Uint8Array(64 * 1024 * 1024 + 1) };
  await expect(log.append([tooLarge])).rejects.toMatchObject({ code: 'record_too_large' });
  await expect(log.append([record('x', 0, 't'.repeat(65_536))])).rejects.toMatchObject({ code: 'record_too_large' });
  await log.append([]);
  expect(await log.bounds(0)).toEqual({ start: 0, end: 0 });
  await log.close();
});
