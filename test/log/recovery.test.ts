import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { follow, openLog, readAll, record, segmentFiles, type TestDirectory, testDirectory } from './helpers.ts';

let directory: TestDirectory;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => directory.remove());

async function logOf(texts: readonly string[], segmentBytes = 1024 * 1024): Promise<void> {
  const log = await openLog(directory.path, { segmentBytes });
  for (const text of texts) await log.append([record(text)]);
  await log.close();
}

async function textsAfterOpen(): Promise<{ texts: string[]; tornBytes: number }> {
  const log = await openLog(directory.path);
  const texts = (await readAll(log)).map((seen) => seen.text);
  const { tornBytes } = log.stats();
  await log.close();
  return { texts, tornBytes };
}

function flip(file: string, position: number, mask = 1): void {
  const bytes = readFileSync(file);
  bytes[position]! ^= mask;
  writeFileSync(file, bytes);
}

test('a tail torn at any byte of the last frame is cut, counted and logged, and the log goes on there', async () => {
  await logOf(['one', 'two', 'three']);
  const file = segmentFiles(directory.path)[0]!;
  const whole = readFileSync(file);
  const frame = 28 + 'acme'.length + 'three'.length;
  for (let kept = 0; kept < frame; kept++) {
    writeFileSync(file, whole.subarray(0, whole.length - frame + kept));
    const warnings: object[] = [];
    const log = await openLog(directory.path, { logger: { warn: (details) => warnings.push(details), info() {} } });
    expect(log.stats().tornBytes).toBe(kept);
    expect(warnings.length).toBe(kept === 0 ? 0 : 1);
    await log.append([record('four')]);
    expect((await readAll(log)).map((seen) => [seen.offset, seen.text])).toEqual([
      [0, 'one'],
      [1, 'two'],
      [2, 'four'],
    ]);
    await log.close();
    expect((await textsAfterOpen()).texts).toEqual(['one', 'two', 'four']);
  }
  expect(readdirSync(path.dirname(file))).toHaveLength(1);
});

test.each([
  ['zeros, as a file system leaves them after a power cut', Buffer.alloc(9_000)],
  ['noise', Buffer.from(Array.from({ length: 9_000 }, (_, i) => (i * i * 31 + 7) & 255))],
])('%s behind the last record is cut', async (_, garbage) => {
  await logOf(['one', 'two']);
  appendFileSync(segmentFiles(directory.path)[0]!, garbage);
  expect(await textsAfterOpen()).toEqual({ texts: ['one', 'two'], tornBytes: 9_000 });
  expect(await textsAfterOpen()).toEqual({ texts: ['one', 'two'], tornBytes: 0 });
});

test('a bit flipped anywhere in the last frame cuts it', async () => {
  await logOf(['one', 'two']);
  const file = segmentFiles(directory.path)[0]!;
  const whole = readFileSync(file);
  const frame = 28 + 'acme'.length + 'two'.length;
  for (let at = whole.length - frame; at < whole.length; at++) {
    writeFileSync(file, whole);
    flip(file, at, 1 << (at % 8));
    expect(await textsAfterOpen()).toEqual({ texts: ['one'], tornBytes: frame });
  }
});

test('a damaged record with sound ones behind it cuts the last segment there, and what was cut is kept beside it', async () => {
  await logOf(['one', 'two', 'three']);
  const file = segmentFiles(directory.path)[0]!;
  const whole = readFileSync(file);
  const second = 48 + 28 + 4 + 3;
  flip(file, second + 30);
  const damagedTail = readFileSync(file).subarray(second);
  expect((await textsAfterOpen()).texts).toEqual(['one']);
  const copy = `${file}.cut-${second}`;
  expect(readFileSync(copy)).toEqual(damagedTail);
  expect(readFileSync(file)).toEqual(whole.subarray(0, second));
});

describe('a sealed segment', () => {
  beforeEach(() =>
    logOf(
      Array.from({ length: 6 }, (_, i) => `${i}`.repeat(400)),
      1_000,
    ),
  );

  test('with a bit flipped stops its readers with file and position, after the sound records before it', async () => {
    const file = segmentFiles(directory.path)[1]!;
    const frame = 28 + 4 + 400;
    flip(file, 48 + frame + 100);
    const log = await openLog(directory.path);
    const { recorder, consumer } = follow(log);
    await recorder.until(() => recorder.errors.length > 0);
    expect(recorder.records().map((seen) => seen.offset)).toEqual([0, 1, 2]);
    expect(recorder.errors).toHaveLength(1);
    expect(recorder.errors[0]!.error).toMatchObject({ code: 'log_damaged' });
    expect(recorder.errors[0]!.error.message).toContain(`${file} at byte ${48 + frame}`);
    await expect(log.identify(0, 3)).rejects.toMatchObject({ code: 'log_damaged' });
    expect((await readAll(log, 0, 4)).map((seen) => seen.offset)).toEqual([4, 5]);
    await log.append([record('more')]);
    expect((await log.bounds(0)).end).toBe(7);
    await consumer.stop();
    await log.close();
  });

  test('that ends too early or is missing is reported, not stepped over', async () => {
    const file = segmentFiles(directory.path)[1]!;
    truncateSync(file, 48 + 432);
    let log = await openLog(directory.path);
    await expect(readAll(log)).rejects.toMatchObject({ code: 'log_damaged' });
    await log.close();
    rmSync(file);
    log = await openLog(directory.path);
    await expect(readAll(log)).rejects.toMatchObject({ code: 'log_damaged' });
    await log.close();
  });

  test('ends where the next one begins, whatever lies behind that in its file', async () => {
    const files = segmentFiles(directory.path);
    appendFileSync(files[0]!, readFileSync(files[1]!).subarray(48, 48 + 432));
    expect((await textsAfterOpen()).texts).toHaveLength(6);
  });

  test('of another log, found as the last one, is refused', async () => {
    const other = testDirectory();
    const log = await openLog(other.path, { segmentBytes: 1_000 });
    for (let i = 0; i < 6; i++) await log.append([record('x'.repeat(400))]);
    await log.close();
    copyFileSync(segmentFiles(other.path)[2]!, segmentFiles(directory.path)[2]!);
    other.remove();
    await expect(openLog(directory.path)).rejects.toMatchObject({ code: 'log_damaged' });
  });
});

test('a last segment whose creation was cut short at any byte of its header is made again', async () => {
  await logOf(['one', 'two']);
  const file = segmentFiles(directory.path)[0]!;
  const header = readFileSync(file).subarray(0, 48);
  const next = path.join(path.dirname(file), `${'2'.padStart(20, '0')}.segment`);
  for (let kept = 0; kept < 48; kept++) {
    writeFileSync(next, header.subarray(0, kept));
    expect((await textsAfterOpen()).texts).toEqual(['one', 'two']);
    expect(existsSync(next)).toBe(false);
  }
});

describe('log.json', () => {
  test('keeps the identity over restarts, and another directory has another one', async () => {
    const first = await openLog(directory.path);
    await first.close();
    const second = await openLog(directory.path);
    expect(second.identity).toBe(first.identity);
    expect(second.identity).toMatch(/^[0-9a-f]{16}$/);
    await second.close();
    const other = await openLog(path.join(directory.path, 'some', 'where'));
    expect(other.identity).not.toBe(first.identity);
    await other.close();
  });

  test('more partitions than stored grow the log, fewer are refused in one clear line', async () => {
    await logOf(['one']);
    let log = await openLog(directory.path, { partitions: 3 });
    expect(log.partitionIds()).toEqual([0, 1, 2]);
    await log.append([record('two', 2)]);
    expect((await readAll(log, 0)).map((seen) => seen.text)).toEqual(['one']);
    await log.close();
    const refused = openLog(directory.path, { partitions: 2 });
    await expect(refused).rejects.toMatchObject({ code: 'log_incompatible' });
    await expect(refused).rejects.toThrow(/has 3 partitions and 2 are configured/);
    log = await openLog(directory.path, { partitions: 3 });
    expect((await readAll(log, 2)).map((seen) => seen.text)).toEqual(['two']);
    await log.close();
  });

  test.each([
    ['of another format', '{"format":2,"identity":"0123456789abcdef","partitions":1}', 'log_incompatible'],
    ['with a broken identity', '{"format":1,"identity":"xyz","partitions":1}', 'log_damaged'],
    ['that is no JSON', '{', 'log_damaged'],
    ['that is null', 'null', 'log_damaged'],
  ])('one %s is refused', async (_, text, code) => {
    await logOf(['one']);
    writeFileSync(path.join(directory.path, 'log.json'), text);
    await expect(openLog(directory.path)).rejects.toMatchObject({ code });
  });

  test('that is gone while partitions are there is refused: nobody could tell that it is the same log', async () => {
    await logOf(['one']);
    rmSync(path.join(directory.path, 'log.json'));
    await expect(openLog(directory.path)).rejects.toMatchObject({ code: 'log_damaged' });
  });
});
