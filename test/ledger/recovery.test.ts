import { cpSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sealFrame } from '../../src/ledger/frame.ts';
import { digestOf, encodeEntry, type Ledger, type LedgerError, type LedgerErrorCode } from '../../src/ledger/index.ts';
import {
  collect,
  contentOf,
  fill,
  LOG,
  openAt,
  rebuild,
  stateAt,
  type TestDirectory,
  testDirectory,
  timesOf,
} from './helpers.ts';

let directory: TestDirectory;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => directory.remove());

/** A ledger with entries at 1000, 2000, … of the toy fold; bases where they are asked for. Ends of entries in the newest file. */
async function write(count: number, baseAt: readonly number[] = []): Promise<{ ends: number[] }> {
  let ends: number[] = [];
  await fill(await openAt(directory.path), count, baseAt, (what) => {
    // A base begins a file.
    if (what === 'base') ends = [];
    ends.push(statSync(directory.files().at(-1)!).size);
  });
  return { ends };
}

async function refusal(): Promise<LedgerError> {
  const ledger = await openAt(directory.path).catch((error: LedgerError) => error);
  if (ledger instanceof Error) return ledger;
  const error = await ledger.recover().then(
    () => undefined,
    (cause: LedgerError) => cause,
  );
  await ledger.close();
  if (error === undefined) throw new Error('the ledger was opened');
  return error;
}

async function expectRefused(code: LedgerErrorCode, ...texts: string[]): Promise<void> {
  const error = await refusal();
  expect(error.code).toBe(code);
  for (const text of texts) expect(error.message).toContain(text);
}

async function withLedger<T>(run: (ledger: Ledger) => Promise<T>): Promise<T> {
  const ledger = await openAt(directory.path);
  try {
    return await run(ledger);
  } finally {
    await ledger.close();
  }
}

describe('what was appended', () => {
  test('is there after a reopening: claim, entries in order, digests linked, last, settled pointers', async () => {
    const ledger = await openAt(directory.path);
    expect(await ledger.recover()).toMatchObject({ claim: 0, settled: new Map() });
    expect(await ledger.takeOver()).toBe(1);
    ledger.settle('acme\u0000prom', 500);
    const first = await ledger.append(contentOf(1000, [], { kind: 'genesis' }));
    const second = await ledger.append(contentOf(2000));
    ledger.settle('acme\u0000prom', 1000);
    ledger.settle('acme\u0000prom', 700);
    ledger.settle('other\u0000prom', 2000);
    expect(ledger.settled().get('acme\u0000prom')).toBe(1000);
    await ledger.close();
    await ledger.close();

    await withLedger(async (again) => {
      const { claim, base, chain, last, settled } = await again.recover();
      expect({ claim, base }).toEqual({ claim: 1, base: undefined });
      const entries = await collect(chain);
      expect(entries.map(({ tMs, digest, prevDigest }) => [tMs, digest, prevDigest])).toEqual([
        [1000, first.digest, ''],
        [2000, second.digest, first.digest],
      ]);
      expect(entries[0]).toEqual({
        ...contentOf(1000, [], { kind: 'genesis' }),
        shard: 0,
        claim: 1,
        logIdentity: LOG,
        prevDigest: '',
        digest: first.digest,
      });
      expect(last).toMatchObject({
        tMs: 2000,
        digest: second.digest,
        offsets: [[0, 2000]],
        lastRecords: [[0, 2000, 1999, 7]],
      });
      expect(settled).toEqual(
        new Map([
          ['acme\u0000prom', 1000],
          ['other\u0000prom', 2000],
        ]),
      );
      expect(await again.takeOver()).toBe(2);
      expect(second.digest).toBe(digestOf(contentOf(2000), 0, LOG));
    });
  });

  test('of the toy fold gives the live state again, from entries alone and from bases with entries after them', async () => {
    await write(9, [3, 6]);
    await withLedger(async (ledger) => {
      const { base } = await ledger.recover();
      expect(base).toMatchObject({ tMs: 6000, offsets: [[0, 6000]] });
      const { tMs, counters } = await rebuild(ledger);
      expect([tMs, counters.state()]).toEqual([9000, stateAt(9000)]);
      const [sixth] = await collect(ledger.read(5000));
      expect(base!.digest).toBe(sixth!.digest);
      expect(await timesOf(ledger.read(Number.NEGATIVE_INFINITY))).toEqual(
        [1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => i * 1000),
      );
      expect((await ledger.baseBefore(5999))!.tMs).toBe(3000);
      expect(await ledger.baseBefore(2999)).toBeUndefined();
    });
  });

  test('can be read while more is appended, up to the newest', async () => {
    const ledger = await openAt(directory.path);
    await ledger.takeOver();
    await ledger.append(contentOf(1000));
    await ledger.append(contentOf(2000));
    const seen: number[] = [];
    for await (const entry of ledger.read(0)) {
      seen.push(entry.tMs);
      if (entry.tMs < 5000) await ledger.append(contentOf(entry.tMs + 2000));
    }
    expect(seen).toEqual([1000, 2000, 3000, 4000, 5000, 6000]);
    await ledger.close();
  });
});

describe('a newest file that is cut', () => {
  test('at every byte of its last two entries gives exactly the entries that are whole, and goes on from there', async () => {
    const { ends } = await write(5, [2]);
    const whole = readFileSync(directory.files().at(-1)!);
    const file = directory.files().at(-1)!;
    expect(ends).toHaveLength(4);
    for (let size = ends.at(-3)!; size <= whole.length; size++) {
      writeFileSync(file, whole.subarray(0, size));
      const expected = 2000 + 1000 * ends.slice(1).filter((end) => end <= size).length;
      const ledger = await openAt(directory.path);
      expect(ledger.stats().tornBytes).toBe(size - ends.findLast((end) => end <= size)!);
      const { tMs, counters } = await rebuild(ledger);
      expect([size, tMs]).toEqual([size, expected]);
      expect(counters.state()).toEqual(stateAt(expected));
      if (size % 50 === 0) {
        await ledger.takeOver();
        await ledger.append(contentOf(expected + 1000));
      }
      await ledger.close();
      if (size % 50 === 0)
        expect(await withLedger((again) => timesOf(again.read(expected)))).toEqual([expected + 1000]);
    }
  });

  test('and followed by garbage or zeros is cut as well', async () => {
    await write(3);
    const file = directory.files().at(-1)!;
    const whole = readFileSync(file);
    for (const junk of [Buffer.alloc(5000), Buffer.from('junk'.repeat(2000)), whole.subarray(0, 300)]) {
      writeFileSync(file, Buffer.concat([whole, junk]));
      await withLedger(async (ledger) => {
        expect((await rebuild(ledger)).tMs).toBe(3000);
        expect(ledger.stats().tornBytes).toBe(junk.length);
      });
      expect(statSync(file).size).toBe(whole.length);
    }
  });

  test('to nothing right after a base loses nothing', async () => {
    await write(4, [4]);
    const file = directory.files().at(-1)!;
    for (const size of [0, 1, 39, statSync(file).size - 1]) {
      truncateSync(file, size);
      await withLedger(async (ledger) => {
        expect((await rebuild(ledger)).counters.state()).toEqual(stateAt(4000));
        expect(await ledger.takeOver()).toBe(2);
      });
    }
  });

  test('below a base is refused: an entry that was durable is gone', async () => {
    const { ends } = await write(4, [4]);
    expect(ends).toHaveLength(1);
    rmSync(directory.files().at(-1)!);
    const file = directory.files().find((name) => name.endsWith('.ledger'))!;
    truncateSync(file, statSync(file).size - 10);
    await expectRefused('ledger_damaged', 'T=4000', 'T=3000', 'base-00000000000000004000.base');
  });
});

describe('damage', () => {
  test('of any bit before the last record of the newest file is refused, naming file and position', async () => {
    const { ends } = await write(4);
    const file = directory.files()[0]!;
    const whole = readFileSync(file);
    for (let at = 0; at < ends.at(-2)!; at += 29) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1 << (at & 7);
      writeFileSync(file, bytes);
      await expectRefused('ledger_damaged', `${file} at byte `, 'sound records behind it');
    }
    writeFileSync(file, whole);
    expect((await withLedger(rebuild)).tMs).toBe(4000);
  });

  test('of the tail of an older file is refused: a crash does not do that', async () => {
    await write(4, [2]);
    const older = directory.files().find((name) => name.endsWith('entries-00000000000000000000.ledger'))!;
    truncateSync(older, statSync(older).size - 1);
    await expectRefused('ledger_damaged', older, 'not in the newest file');
  });

  test('of the newest base is refused, and says how to go on without it', async () => {
    await write(6, [2, 4]);
    const base = directory.files().find((name) => name.endsWith('4000.base'))!;
    const bytes = readFileSync(base);
    bytes[bytes.length - 20]! ^= 1;
    writeFileSync(base, bytes);
    await expectRefused('ledger_damaged', base, 'move it away');
    rmSync(base);
    await withLedger(async (ledger) => {
      expect((await ledger.recover()).base!.tMs).toBe(2000);
      expect((await rebuild(ledger)).counters.state()).toEqual(stateAt(6000));
    });
  });

  test('by a file of entries that is missing between others is refused', async () => {
    await write(6, [2, 4]);
    rmSync(path.join(directory.shard, 'entries-00000000000000002000.ledger'));
    await expectRefused('ledger_damaged', 'goes on after T=4000', 'T=2000');
  });

  test('by the oldest file missing is what pruning does, and by the newest what a crash before it was made does', async () => {
    await write(6, [2, 4]);
    rmSync(path.join(directory.shard, 'entries-00000000000000000000.ledger'));
    expect((await withLedger(rebuild)).tMs).toBe(6000);
    rmSync(path.join(directory.shard, 'entries-00000000000000004000.ledger'));
    expect((await withLedger(rebuild)).counters.state()).toEqual(stateAt(4000));
  });

  test('by bases that are missing while the entries before are pruned is refused', async () => {
    await write(6, [2, 4]);
    for (const file of directory.files()) if (file.endsWith('.base') || file.endsWith('00000.ledger')) rmSync(file);
    await expectRefused('ledger_damaged', 'no base at or after it');
  });

  test('by another shard’s directory is refused', async () => {
    await write(2);
    cpSync(directory.shard, path.join(directory.path, 'shard-1'), { recursive: true });
    await expect(openAt(directory.path, { shard: 1 })).rejects.toThrow(/written for shard 0/);
  });
});

describe('the chain', () => {
  /** Puts an entry behind what is there, as a process without a lock could. */
  function graft(more: Partial<Parameters<typeof encodeEntry>[0]>, tMs = 3000): void {
    const file = directory.files()[0]!;
    const there = readFileSync(file);
    const content = contentOf(tMs);
    const entry = {
      ...content,
      shard: 0,
      claim: 1,
      logIdentity: LOG,
      prevDigest: digestOf(contentOf(2000), 0, LOG),
      digest: digestOf(content, 0, LOG),
      ...more,
    };
    const frame = encodeEntry(entry);
    sealFrame(frame, there.length);
    writeFileSync(file, Buffer.concat([there, frame]));
  }

  async function two(): Promise<void> {
    const ledger = await openAt(directory.path);
    await ledger.takeOver();
    await ledger.append(contentOf(1000));
    await ledger.append(contentOf(2000));
    await ledger.close();
  }

  test('takes an entry that follows', async () => {
    await two();
    graft({});
    expect(await withLedger((ledger) => timesOf(ledger.read(0)))).toEqual([1000, 2000, 3000]);
  });

  test('refuses another predecessor, naming both entries', async () => {
    await two();
    graft({ prevDigest: 'ee'.repeat(32) });
    await expectRefused('broken_chain', 'T=3000', 'eeeeeeeeeeee', 'T=2000');
  });

  test('refuses a T that does not grow and an offset that goes back, naming both', async () => {
    await two();
    const whole = readFileSync(directory.files()[0]!);
    graft({}, 2000);
    await expectRefused('broken_chain', 'T=2000 does not lie after T=2000');
    writeFileSync(directory.files()[0]!, whole);
    graft({ offsets: [[0, 1999]] });
    await expectRefused('broken_chain', 'offset 2000', '1999', 'T=2000', 'T=3000');
  });

  test('refuses an entry of a claim that nobody made', async () => {
    await two();
    graft({ claim: 2 });
    await expectRefused('ledger_damaged', 'claim 2');
  });

  test('ignores an entry of an older claim behind a newer claim record', async () => {
    await two();
    await withLedger(async (ledger) => {
      await ledger.takeOver();
    });
    graft({ claim: 1 });
    await withLedger(async (ledger) => {
      expect(ledger.stats().orphans).toBe(1);
      expect((await ledger.recover()).last!.tMs).toBe(2000);
      await ledger.takeOver();
      await ledger.append(contentOf(3500));
      expect(await timesOf(ledger.read(0))).toEqual([1000, 2000, 3500]);
    });
    expect(await withLedger((ledger) => timesOf(ledger.read(0)))).toEqual([1000, 2000, 3500]);
  });

  test('is held up by append and appendBase themselves', async () => {
    await two();
    const ledger = await openAt(directory.path);
    const rejects = (promise: Promise<unknown>, code: LedgerErrorCode) =>
      expect(promise).rejects.toMatchObject({ code });
    await rejects(ledger.append(contentOf(3000)), 'no_claim');
    await rejects(ledger.appendBase(contentOf(2000)), 'no_claim');
    await ledger.takeOver();
    await rejects(ledger.append(contentOf(2000)), 'broken_chain');
    await rejects(ledger.append(contentOf(3000, [], { offsets: [[0, 10]] })), 'broken_chain');
    await rejects(ledger.append(contentOf(3000.5)), 'bad_content');
    await rejects(ledger.appendBase(contentOf(1500)), 'broken_chain');
    await rejects(ledger.appendBase(contentOf(2000, [], { offsets: [[0, 2001]] })), 'broken_chain');
    await ledger.append(contentOf(3000));
    // A base for an entry that is no longer the newest.
    await ledger.appendBase(contentOf(2000));
    expect((await ledger.recover()).base!.digest).toBe(digestOf(contentOf(2000), 0, LOG));
    expect(await timesOf((await ledger.recover()).chain)).toEqual([3000]);
    await ledger.append(contentOf(4000));
    await ledger.close();
    await rejects(ledger.append(contentOf(5000)), 'ledger_closed');
    await withLedger(async (again) => expect(await timesOf((await again.recover()).chain)).toEqual([3000, 4000]));
  });

  test('is not continued with another log', async () => {
    await two();
    const ledger = await openAt(directory.path, { logIdentity: 'log-2' });
    await expect(ledger.takeOver()).rejects.toMatchObject({ code: 'other_log' });
    await ledger.close();
  });
});

test('a base that never got its name is removed, and a foreign file is left alone', async () => {
  await write(2);
  writeFileSync(path.join(directory.shard, 'base-00000000000000002000.base.new'), 'half');
  writeFileSync(path.join(directory.shard, 'notes.txt'), 'mine');
  await withLedger(async () => {});
  expect(directory.files().map((file) => path.basename(file))).toEqual([
    'entries-00000000000000000000.ledger',
    'notes.txt',
  ]);
});

test('the byte limit is reported, and refuses nothing', async () => {
  const ledger = await openAt(directory.path, { maxBytes: 1500 });
  await ledger.takeOver();
  expect(ledger.overLimit()).toBe(false);
  for (let i = 1; i <= 4; i++) await ledger.append(contentOf(i * 1000));
  expect(ledger.overLimit()).toBe(true);
  expect(ledger.sizeBytes()).toBe(statSync(directory.files()[0]!).size);
  await ledger.close();
});
