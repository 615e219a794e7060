// A ledger that is opened with what the log's fence names as committed: entries behind that were never said, and are folded again.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LedgerError, openLedger } from '../../src/ledger/index.ts';
import {
  contentOf,
  fill,
  foldTo,
  LOG,
  openAt,
  rebuild,
  stateAt,
  type TestDirectory,
  testDirectory,
  timesOf,
} from './helpers.ts';
import { Crashed, type Loss, SimulatedDisk } from './simulated-disk.ts';

let directory: TestDirectory;
beforeEach(() => {
  directory = testDirectory();
});
afterEach(() => directory.remove());

describe('opened with a committed entry', () => {
  test.each([
    ['the newest one', 6, []],
    ['the one before', 5, []],
    ['one in an older file', 2, [3, 5]],
    ['one that a base stands for', 3, [3, 5]],
  ])('%s: ends with it, and goes on from there', async (_, committed, bases) => {
    const digests = await fill(await openAt(directory.path), 6, bases);
    const tMs = committed * 1000;
    const ledger = await openAt(directory.path, { committed: { claim: 7, tMs, digest: digests[committed - 1]! } });
    const { tMs: endMs, counters } = await rebuild(ledger);
    expect([endMs, counters.state()]).toEqual([tMs, stateAt(tMs)]);
    // Above the claim that the log knows, whatever this ledger does.
    expect(await ledger.takeOver()).toBe(8);
    foldTo(counters, tMs + 1000);
    await ledger.append(contentOf(tMs + 1000, counters.changes()));
    await ledger.close();

    const again = await openAt(directory.path);
    expect((await rebuild(again)).counters.state()).toEqual(stateAt(tMs + 1000));
    await again.close();
  });

  test('that it does not hold: is refused, and nothing is touched', async () => {
    await fill(await openAt(directory.path), 3);
    const error: LedgerError = await openAt(directory.path, {
      committed: { claim: 1, tMs: 2000, digest: 'ab'.repeat(32) },
    }).then(
      () => expect.unreachable(),
      (cause: LedgerError) => cause,
    );
    expect(error).toMatchObject({ code: 'unknown_commit', isRetryable: false });
    expect(error.message).toContain('T=2000 digest abababababab');
    const ledger = await openAt(directory.path);
    expect(await timesOf(ledger.read(Number.NEGATIVE_INFINITY))).toEqual([1000, 2000, 3000]);
    await ledger.close();
  });

  test('an empty ledger refuses it too', async () => {
    await expect(
      openAt(directory.path, { committed: { claim: 1, tMs: 1000, digest: 'cd'.repeat(32) } }),
    ).rejects.toMatchObject({ code: 'unknown_commit' });
  });

  test('is cut to it in the end, wherever a crash interrupts the cutting', async () => {
    const options = {
      path: '/ledger',
      shard: 0,
      logIdentity: LOG,
      maxBytes: Number.POSITIVE_INFINITY,
      engine: 'test-1',
    };
    const full = new SimulatedDisk();
    const digests = await fill(await openLedger({ ...options, fs: full }), 6, [2, 4, 5]);
    const committed = { claim: 1, tMs: 3000, digest: digests[2]! };
    let crashes = 0;
    for (let step = 0; ; step++) {
      const losses: Loss[] = ['all', 'nothing', step];
      let crashed = false;
      for (const loss of losses) {
        const disk = full.clone();
        disk.arm(() => undefined, step);
        crashed = await openLedger({ ...options, fs: disk, committed }).then(
          () => false,
          (error: LedgerError) => {
            expect(error instanceof Crashed || error.cause instanceof Crashed).toBe(true);
            return true;
          },
        );
        if (!crashed) break;
        crashes++;
        disk.crash(loss);
        const ledger = await openLedger({ ...options, fs: disk, committed });
        expect((await rebuild(ledger)).counters.state()).toEqual(stateAt(3000));
        await ledger.close();
      }
      if (!crashed) break;
    }
    expect(crashes).toBeGreaterThan(10);
  });
});
