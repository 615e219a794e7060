import { cpSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EmbeddedLog, LogError } from '../../src/log/index.ts';
import {
  type Call,
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

/** A file system of which one call after another can be told to fail. */
function failing() {
  const control = { isFailing: (_call: Call): boolean => false, code: 'ENOSPC', calls: [] as Call[] };
  const fileSystem = watchedFileSystem((call) => {
    control.calls.push(call);
    if (control.isFailing(call)) throw errorOf(control.code);
  });
  return { control, fileSystem };
}

async function tryAppend(log: EmbeddedLog, text: string): Promise<'ok' | string> {
  try {
    await log.append([record(text)]);
    return 'ok';
  } catch (error) {
    expect(error).toBeInstanceOf(LogError);
    return (error as LogError).code;
  }
}

const SEGMENT_BYTES = 400;

/** Appends until the log has rolled a few times, while `plan` decides which calls fail. What was acknowledged, in order. */
async function scenario(
  where: string,
  failAt: ReadonlySet<number>,
  code: string,
  isSticky: boolean,
): Promise<{ calls: number; rejected: string[] }> {
  const { control, fileSystem } = failing();
  let log = await openLog(where, { fileSystem, segmentBytes: SEGMENT_BYTES });
  const { recorder, consumer } = follow(log);
  await recorder.untilEnd(0);
  let count = 0;
  let healthy = false;
  control.code = code;
  control.isFailing = () => {
    if (healthy) return false;
    const n = count++;
    return failAt.has(n) || (isSticky && failAt.size > 0 && n > Math.min(...failAt));
  };
  const acknowledged: string[] = [];
  const rejected: string[] = [];
  for (let i = 0; i < 8; i++) {
    const text = `${i}${'.'.repeat(60 + 30 * (i % 3))}`;
    const result = await tryAppend(log, text);
    if (result === 'ok') acknowledged.push(text);
    else {
      rejected.push(text);
      expect(result).toBe(code === 'ENOSPC' ? 'disk_full' : 'log_damaged');
    }
  }
  await expectSurvivesCrash(where, acknowledged, rejected);
  healthy = true;
  const calls = count;
  // Space is back: the next appends go through, large or small.
  for (const text of ['small', 'L'.repeat(300), 'again']) {
    expect(await tryAppend(log, text)).toBe('ok');
    acknowledged.push(text);
  }
  await recorder.untilEnd(acknowledged.length);
  expect(recorder.texts()).toEqual(acknowledged);
  expect((await readAll(log)).map((seen) => seen.text)).toEqual(acknowledged);
  await consumer.stop();
  await log.close();
  log = await openLog(where, { segmentBytes: SEGMENT_BYTES });
  expect((await readAll(log)).map((seen) => seen.text)).toEqual(acknowledged);
  await log.close();
  return { calls, rejected };
}

/** A copy of the files as they are stands for what a killed process leaves behind: nothing is closed or cut any more. */
async function expectSurvivesCrash(where: string, acknowledged: string[], rejected: string[]): Promise<void> {
  await inFreshDirectory(async (copy) => {
    cpSync(where, copy, { recursive: true, filter: (file) => !file.endsWith('lock.sqlite') });
    const log = await openLog(copy, { segmentBytes: SEGMENT_BYTES });
    const texts = (await readAll(log)).map((seen) => seen.text);
    expect(texts.filter((text) => !rejected.includes(text))).toEqual(acknowledged);
    expect(await tryAppend(log, 'after the crash')).toBe('ok');
    await log.close();
  });
}

async function inFreshDirectory<T>(run: (where: string) => Promise<T>): Promise<T> {
  const own = testDirectory();
  try {
    return await run(own.path);
  } finally {
    own.remove();
  }
}

describe.each(['ENOSPC', 'EIO'])('%s', (code) => {
  test('at any one call of a run loses nothing that was acknowledged and blocks nothing after it', async () => {
    const { calls } = await inFreshDirectory((where) => scenario(where, new Set(), code, false));
    let refusals = 0;
    for (let n = 0; n < calls; n++) {
      const { rejected } = await inFreshDirectory((where) => scenario(where, new Set([n]), code, false));
      if (rejected.length > 0) refusals++;
    }
    // Only the closing of a sealed segment's file may fail unnoticed.
    expect(refusals).toBeGreaterThan(calls * 0.7);
  });

  test('at any call and all later ones, until space is back, does the same', async () => {
    const { calls } = await inFreshDirectory((where) => scenario(where, new Set(), code, false));
    for (let n = 0; n < calls; n++) {
      const { rejected } = await inFreshDirectory((where) => scenario(where, new Set([n]), code, true));
      expect(rejected.length).toBeGreaterThan(n < calls - 4 ? 0 : -1);
    }
  });

  test('at any two calls in a row or near each other does the same', async () => {
    const { calls } = await inFreshDirectory((where) => scenario(where, new Set(), code, false));
    for (let n = 0; n < calls; n += 3) {
      for (const distance of [1, 2, 3, 5]) {
        await inFreshDirectory((where) => scenario(where, new Set([n, n + distance]), code, false));
      }
    }
  });
});

test('a group that fails rejects all of its appends, and those that wait for the next group are tried', async () => {
  const { control, fileSystem } = failing();
  const log = await openLog(directory.path, { fileSystem });
  await log.append([record('first')]);
  control.code = 'EDQUOT';
  let syncs = 0;
  let third: Promise<string> | undefined;
  control.isFailing = ({ operation }) => {
    if (operation !== 'datasync') return false;
    third ??= tryAppend(log, 'third');
    return syncs++ === 0;
  };
  const results = await Promise.all([tryAppend(log, 'second a'), tryAppend(log, 'second b')]);
  expect(results).toEqual(['disk_full', 'disk_full']);
  expect(await third).toBe('ok');
  expect((await readAll(log)).map((seen) => [seen.offset, seen.text])).toEqual([
    [0, 'first'],
    [1, 'third'],
  ]);
  expect(log.stats()).toMatchObject({ failedGroups: 1, repairs: 1, groups: 2 });
  await log.close();
});

test('a failed group is cut off the file at once', async () => {
  const { control, fileSystem } = failing();
  const log = await openLog(directory.path, { fileSystem });
  await log.append([record('kept')]);
  const file = segmentFiles(directory.path)[0]!;
  const before = readFileSync(file);
  for (const failed of ['write', 'datasync']) {
    control.isFailing = ({ operation }) => operation === failed;
    expect(await tryAppend(log, 'lost '.repeat(100))).toBe('disk_full');
    expect(readFileSync(file)).toEqual(before);
  }
  await log.close();
});

test('after a failed fsync the last durable page is written again before anything else is', async () => {
  const { control, fileSystem } = failing();
  const log = await openLog(directory.path, { fileSystem });
  await log.append([record('kept')]);
  control.isFailing = ({ operation }) => operation === 'datasync';
  await tryAppend(log, 'lost');
  control.calls.length = 0;
  control.isFailing = () => false;
  await log.append([record('next')]);
  const operations = control.calls.map((call) => call.operation);
  expect(operations).toEqual(['open', 'truncate', 'read', 'write', 'datasync', 'read', 'write', 'datasync']);
  await log.close();
});

test('a durable record that is gone after a failure is reported, and no append is acknowledged on top of it', async () => {
  const { control, fileSystem } = failing();
  const log = await openLog(directory.path, { fileSystem });
  await log.append([record('kept')]);
  control.isFailing = ({ operation }) => operation === 'datasync';
  await tryAppend(log, 'lost');
  control.isFailing = () => false;
  const file = segmentFiles(directory.path)[0]!;
  truncateSync(file, statSync(file).size - 2);
  expect(await tryAppend(log, 'next')).toBe('log_damaged');
  expect(await tryAppend(log, 'next')).toBe('log_damaged');
  expect((await log.bounds(0)).end).toBe(1);
  await log.close();
});

test('one partition that fails does not stop the others; an append to both is rejected once both have ended', async () => {
  const { control, fileSystem } = failing();
  const log = await openLog(directory.path, { fileSystem, partitions: 2 });
  control.isFailing = ({ path }) => path.includes('partition-1');
  await expect(log.append([record('a', 0), record('b', 1)])).rejects.toMatchObject({ code: 'disk_full' });
  await log.append([record('c', 0)]);
  control.isFailing = () => false;
  await log.append([record('d', 1)]);
  expect((await readAll(log, 0)).map((seen) => seen.text)).toEqual(['a', 'c']);
  expect((await readAll(log, 1)).map((seen) => seen.text)).toEqual(['d']);
  await log.close();
});

test('an empty last segment, left by a failed append after a roll, keeps the time of the records before it', async () => {
  const { control, fileSystem } = failing();
  let nowMs = 9_000;
  const options = { segmentBytes: 100, now: () => nowMs };
  let log = await openLog(directory.path, { ...options, fileSystem });
  await log.append([record('x'.repeat(60))]);
  let writes = 0;
  control.isFailing = ({ operation }) => operation === 'write' && ++writes === 2;
  expect(await tryAppend(log, 'y'.repeat(60))).toBe('disk_full');
  expect(segmentFiles(directory.path)).toHaveLength(2);
  await log.close();
  nowMs = 5;
  log = await openLog(directory.path, options);
  await log.append([record('z')]);
  expect((await readAll(log)).map((seen) => seen.timestampMs)).toEqual([9_000, 9_000]);
  await log.close();
});

test('an opening that hits a full disk says so, and the next one succeeds', async () => {
  const { control, fileSystem } = failing();
  let calls = 0;
  for (let failAt = 0; ; failAt++) {
    calls = 0;
    control.isFailing = ({ operation }) => operation !== 'close' && calls++ === failAt;
    const opened = await openLog(directory.path, { fileSystem }).catch((error: LogError) => error);
    if (!(opened instanceof LogError)) {
      expect(failAt).toBeGreaterThan(5);
      control.isFailing = () => false;
      await opened.append([record('fine')]);
      await opened.close();
      break;
    }
    expect(opened.code).toBe('disk_full');
  }
});
