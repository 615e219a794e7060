import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Every } from '../../src/log/embedded/consumer.ts';
import { RECORD_HEAD_BYTES } from '../../src/log/index.ts';
import {
  type Call,
  errorOf,
  follow,
  openLog,
  Recorder,
  record,
  type TestDirectory,
  testDirectory,
  watchedFileSystem,
} from './helpers.ts';

let directory: TestDirectory;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => directory.remove());

function manualTimer() {
  const runs = new Set<() => void>();
  const intervals: number[] = [];
  const every: Every = (intervalMs, run) => {
    intervals.push(intervalMs);
    runs.add(run);
    return () => runs.delete(run);
  };
  const tick = () => {
    for (const run of [...runs]) run();
  };
  return { every, tick, intervals, runs };
}

/** Counts the reads of segment files. */
function countedReads() {
  const counter = { reads: 0 };
  const fileSystem = watchedFileSystem(({ operation }: Call) => {
    if (operation === 'read') counter.reads++;
  });
  return { counter, fileSystem };
}

test('a listener at the end gets records from memory once they are durable, without a read', async () => {
  const { counter, fileSystem } = countedReads();
  const log = await openLog(directory.path, { fileSystem, segmentBytes: 200 });
  const { recorder, consumer } = follow(log);
  await recorder.untilEnd(0);
  const before = counter.reads;
  for (let i = 0; i < 20; i++) {
    await log.append([record(`record ${i}`)]);
    expect(recorder.texts()).toHaveLength(i + 1);
    expect(recorder.marks.at(-1)).toMatchObject({ partition: 0, end: i + 1, wallMs: 1_000 });
  }
  expect(counter.reads).toBe(before);
  await consumer.stop();
  await log.close();
});

test('end marks come at once at the end and again every 250 ms while idle, with the wall clock of that moment', async () => {
  let nowMs = 100;
  const { every, tick, intervals, runs } = manualTimer();
  const log = await openLog(directory.path, { every, now: () => nowMs });
  await log.append([record('a')]);
  const { recorder, consumer } = follow(log);
  await recorder.untilEnd(1);
  expect(intervals).toEqual([250]);
  expect(recorder.marks).toEqual([{ partition: 0, end: 1, wallMs: 100 }]);
  nowMs = 350;
  tick();
  nowMs = 600;
  tick();
  expect(recorder.marks.map((mark) => mark.wallMs)).toEqual([100, 350, 600]);
  await consumer.stop();
  expect(runs.size).toBe(0);
  await log.close();
});

test('batches are no larger than the listener takes, from memory and from the files, and a larger record comes alone', async () => {
  const log = await openLog(directory.path);
  const texts = [...Array(5).fill('0123456789'), 'x'.repeat(1_000), '0123456789'];
  for (const how of ['from the files', 'from memory']) {
    const recorder = Object.assign(new Recorder(), { batchBytes: 2 * (10 + RECORD_HEAD_BYTES) });
    const from = (await log.bounds(0)).end;
    if (how === 'from the files') await log.append(texts.map((text) => record(text)));
    const consumer = log.consume(new Map([[0, from]]), recorder);
    await recorder.untilEnd(how === 'from the files' ? from + texts.length : from);
    if (how === 'from memory') await log.append(texts.map((text) => record(text)));
    await recorder.untilEnd(from + texts.length);
    expect([how, recorder.batches.map(({ count }) => count)]).toEqual([how, [2, 2, 1, 1, 1]]);
    await consumer.stop();
  }
  await log.close();
});

test('a paused partition gets no batch, keeps its place, and still says that it is at its end', async () => {
  const { every, tick } = manualTimer();
  const log = await openLog(directory.path, { every });
  const { recorder, consumer } = follow(log);
  await recorder.untilEnd(0);
  consumer.pause(0);
  const marks = recorder.marks.length;
  tick();
  expect(recorder.marks.length).toBe(marks + 1);
  await log.append([record('a')]);
  await log.append([record('b')]);
  tick();
  expect(recorder.batches).toEqual([]);
  expect(recorder.marks.length).toBe(marks + 1);
  consumer.resume(0);
  await recorder.untilEnd(2);
  expect(recorder.texts()).toEqual(['a', 'b']);
  await log.append([record('c')]);
  expect(recorder.texts()).toEqual(['a', 'b', 'c']);
  expect(() => consumer.pause(1)).toThrow(RangeError);
  await consumer.stop();
  await log.close();
});

test('a pause from inside the listener holds after that batch, from memory as from files', async () => {
  const log = await openLog(directory.path);
  const many = Array.from({ length: 7_000 }, (_, i) => record(`${i}`));
  const tail = follow(log);
  tail.recorder.whenBatch = () => tail.consumer.pause(0);
  await tail.recorder.untilEnd(0);
  await log.append(many);
  const late = follow(log);
  late.recorder.whenBatch = () => late.consumer.pause(0);
  await late.recorder.until(() => late.recorder.batches.length > 0);
  for (const { recorder, consumer } of [tail, late]) {
    for (let batches = 1; batches <= 4; batches++) {
      await recorder.until(() => recorder.batches.length === batches);
      consumer.resume(0);
    }
    await recorder.untilEnd(7_000);
    expect(recorder.batches.map((batch) => batch.count)).toEqual([2_000, 2_000, 2_000, 1_000]);
    expect(recorder.texts()).toEqual(many.map((_, i) => `${i}`));
    await consumer.stop();
  }
  await log.close();
});

test('one partition paused or damaged does not hold another', async () => {
  const log = await openLog(directory.path, { partitions: 2 });
  const recorder = new Recorder();
  const consumer = log.consume(
    new Map([
      [0, 5],
      [1, 0],
    ]),
    recorder,
  );
  await recorder.until(() => recorder.errors.length > 0 && recorder.marks.length > 0);
  expect(recorder.errors[0]).toMatchObject({ partition: 0, error: { code: 'offset_out_of_range' } });
  await log.append([record('a', 0), record('b', 1)]);
  expect(recorder.texts(0)).toEqual([]);
  expect(recorder.texts(1)).toEqual(['b']);
  await consumer.stop();
  await log.close();
});

test('nothing is called after stop has resolved, even with a read under way; stop can be called again', async () => {
  let holdReads = false;
  let heldRead: (() => void) | undefined;
  let noteHeld: (() => void) | undefined;
  const fileSystem = watchedFileSystem(async ({ operation }) => {
    if (operation !== 'read' || !holdReads) return;
    await new Promise<void>((go) => {
      heldRead = go;
      noteHeld?.();
    });
  });
  const log = await openLog(directory.path, { fileSystem });
  await log.append([record('a')]);
  holdReads = true;
  const isHeld = new Promise<void>((resolve) => {
    noteHeld = resolve;
  });
  const { recorder, consumer } = follow(log);
  await isHeld;
  const stops = [consumer.stop(), consumer.stop()];
  holdReads = false;
  heldRead!();
  await Promise.all(stops);
  await log.append([record('b')]);
  expect([...recorder.batches, ...recorder.marks, ...recorder.errors]).toEqual([]);
  expect(log.stats().consumers).toBe(0);
  await log.close();
});

test('a file that cannot be read is told to the listener, and another consumer can try again', async () => {
  let isBroken = false;
  const fileSystem = watchedFileSystem(({ operation, path }) => {
    if (isBroken && operation === 'open' && path.endsWith('.segment')) throw errorOf('EIO');
  });
  const log = await openLog(directory.path, { fileSystem });
  await log.append([record('a')]);
  isBroken = true;
  const first = follow(log);
  await first.recorder.until(() => first.recorder.errors.length > 0);
  expect(first.recorder.errors[0]!.error.message).toMatch(/segment: EIO/);
  isBroken = false;
  const second = follow(log);
  await second.recorder.untilEnd(1);
  expect(second.recorder.texts()).toEqual(['a']);
  await log.close();
});

test('a listener that throws loses its own partition only; appends and other consumers go on', async () => {
  const log = await openLog(directory.path);
  const bad = follow(log);
  const good = follow(log);
  await Promise.all([bad.recorder.untilEnd(0), good.recorder.untilEnd(0)]);
  bad.recorder.whenBatch = () => {
    throw new Error('listener broke');
  };
  await log.append([record('a')]);
  await log.append([record('b')]);
  expect(bad.recorder.errors.map(({ error }) => error.message)).toEqual(['listener broke']);
  expect(good.recorder.texts()).toEqual(['a', 'b']);
  await log.close();
});

test('readers of many segments keep few files open', async () => {
  const log = await openLog(directory.path, { segmentBytes: 60 });
  for (let i = 0; i < 100; i++) await log.append([record(`${i}`)]);
  const followers = Array.from({ length: 6 }, () => follow(log));
  await Promise.all(followers.map(({ recorder }) => recorder.untilEnd(100)));
  for (const { recorder } of followers) expect(recorder.texts()).toHaveLength(100);
  expect(log.stats().partitions[0]!.segments).toBe(100);
  expect(log.stats().openFiles).toBeLessThanOrEqual(32);
  await log.close();
});

test('any mix of appends, pauses and late consumers delivers every record once and in order', async () => {
  const step = fc.oneof(
    fc.record({ append: fc.array(fc.nat(400), { minLength: 1, maxLength: 6 }), isAwaited: fc.boolean() }),
    fc.record({ pause: fc.nat(3) }),
    fc.record({ resume: fc.nat(3) }),
    fc.constant({ consumer: true }),
    fc.constant({ turn: true }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const own = testDirectory();
      const log = await openLog(own.path, { segmentBytes: 1_500 });
      try {
        const followers: ReturnType<typeof follow>[] = [];
        const appends: Promise<void>[] = [];
        const expected: string[] = [];
        const start = () => followers.push(follow(log));
        start();
        for (const one of steps) {
          if ('append' in one) {
            const records = one.append.map((length) => record(`${expected.length}:${'x'.repeat(length)}`));
            for (const r of records) expected.push(Buffer.from(r.bytes).toString('latin1'));
            appends.push(log.append(records));
            if (one.isAwaited) await appends.at(-1);
          } else if ('pause' in one) followers[one.pause]?.consumer.pause(0);
          else if ('resume' in one) followers[one.resume]?.consumer.resume(0);
          else if ('consumer' in one) {
            if (followers.length < 4) start();
          } else await new Promise<void>((resolve) => setImmediate(resolve));
        }
        await Promise.all(appends);
        for (const { consumer, recorder } of followers) {
          consumer.resume(0);
          await recorder.untilEnd(expected.length);
          expect(recorder.texts()).toEqual(expected);
          const ends = recorder.marks.map((mark) => mark.end);
          expect(ends).toEqual([...ends].sort((a, b) => a - b));
          await consumer.stop();
        }
      } finally {
        await log.close();
        own.remove();
      }
    }),
    { numRuns: 40 },
  );
});
