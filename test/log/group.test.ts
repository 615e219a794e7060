import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type Call,
  follow,
  openLog,
  readAll,
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

/** Syncs of the chosen partitions wait until they are let go. */
function heldSyncs(isHeld: (call: Call) => boolean) {
  const waiting: { call: Call; go: () => void }[] = [];
  const arrivals: (() => void)[] = [];
  const counts = { datasync: 0, write: 0, syncDirectory: 0 };
  const order: string[] = [];
  const fileSystem = watchedFileSystem(async (call) => {
    if (call.operation in counts) {
      counts[call.operation as keyof typeof counts]++;
      order.push(call.operation);
    }
    if (call.operation !== 'datasync' || !isHeld(call)) return;
    await new Promise<void>((go) => {
      waiting.push({ call, go });
      for (const arrived of arrivals.splice(0)) arrived();
    });
  });
  return {
    fileSystem,
    counts,
    order,
    async untilHeld(count: number): Promise<void> {
      while (waiting.length < count) await new Promise<void>((arrived) => arrivals.push(arrived));
    },
    letGo(): void {
      for (const { go } of waiting.splice(0)) go();
    },
  };
}

test('appends that arrive during an fdatasync share the next one, and none resolves before it', async () => {
  let isHeld = false;
  const syncs = heldSyncs(() => isHeld);
  const log = await openLog(directory.path, { fileSystem: syncs.fileSystem });
  await log.append([record('warm')]);
  const before = { ...syncs.counts };
  isHeld = true;
  const resolved: string[] = [];
  const append = (text: string) => log.append([record(text)]).then(() => resolved.push(text));
  const first = append('first');
  await syncs.untilHeld(1);
  const rest = Array.from({ length: 50 }, (_, i) => append(`${i}`));
  const { recorder, consumer } = follow(log);
  await recorder.untilEnd(1);
  expect(resolved).toEqual([]);
  expect(recorder.texts()).toEqual(['warm']);
  syncs.letGo();
  await first;
  await syncs.untilHeld(1);
  expect(resolved).toEqual(['first']);
  expect(recorder.texts()).toEqual(['warm', 'first']);
  expect((await log.bounds(0)).end).toBe(2);
  syncs.letGo();
  await Promise.all(rest);
  expect(syncs.counts.datasync - before.datasync).toBe(2);
  expect(syncs.counts.write - before.write).toBe(2);
  expect(recorder.texts()).toHaveLength(52);
  await consumer.stop();
  await log.close();
});

test('appends of the same turn share one group', async () => {
  const syncs = heldSyncs(() => false);
  const log = await openLog(directory.path, { fileSystem: syncs.fileSystem });
  await log.append([record('warm')]);
  const before = syncs.counts.datasync;
  await Promise.all(Array.from({ length: 20 }, (_, i) => log.append([record(`${i}`)])));
  expect(syncs.counts.datasync - before).toBe(1);
  expect(log.stats()).toMatchObject({ groups: 2, records: 21 });
  await log.close();
});

test('partitions sync side by side, and an append to several resolves when the last one is durable', async () => {
  let isHeld = false;
  const syncs = heldSyncs(() => isHeld);
  const log = await openLog(directory.path, { fileSystem: syncs.fileSystem, partitions: 4 });
  await log.append([0, 1, 2, 3].map((partition) => record('warm', partition)));
  isHeld = true;
  let isResolved = false;
  const append = log.append([0, 1, 2, 3].map((partition) => record('x', partition))).then(() => {
    isResolved = true;
  });
  await syncs.untilHeld(4);
  expect(isResolved).toBe(false);
  syncs.letGo();
  await append;
  await log.close();
});

test("a new segment's header and name are durable before a record is written into it", async () => {
  const syncs = heldSyncs(() => false);
  const log = await openLog(directory.path, { fileSystem: syncs.fileSystem, segmentBytes: 100 });
  for (let i = 0; i < 2; i++) {
    syncs.order.length = 0;
    await log.append([record('x'.repeat(60))]);
    expect(syncs.order).toEqual(['write', 'datasync', 'syncDirectory', 'write', 'datasync']);
  }
  await log.close();
});

test('close waits for the appends under way and refuses new ones', async () => {
  let isHeld = false;
  const syncs = heldSyncs(() => isHeld);
  const log = await openLog(directory.path, { fileSystem: syncs.fileSystem });
  await log.append([record('a')]);
  isHeld = true;
  const pending = log.append([record('b')]);
  await syncs.untilHeld(1);
  const queued = log.append([record('c')]);
  const closing = log.close();
  await expect(log.append([record('d')])).rejects.toMatchObject({ code: 'log_closed' });
  expect(() => log.consume(new Map([[0, 0]]), follow(log).recorder)).toThrow(/is closed/);
  isHeld = false;
  syncs.letGo();
  await Promise.all([pending, queued, closing]);
  const again = await openLog(directory.path);
  expect((await readAll(again)).map((seen) => seen.text)).toEqual(['a', 'b', 'c']);
  await again.close();
});
