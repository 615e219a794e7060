import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LedgerError } from '../../src/ledger/index.ts';
import { Counters, contentOf, foldTo, openAt, rebuild, stateAt, timesOf } from './helpers.ts';
import { SimulatedDisk } from './simulated-disk.ts';

type Step = { do: 'append' } | { do: 'base' } | { do: 'reopen' } | { do: 'prune'; percent: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ do: 'append' } as const) },
  { weight: 2, arbitrary: fc.constant({ do: 'base' } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'reopen' } as const) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('prune' as const), percent: fc.integer({ min: 0, max: 100 }) }),
  },
);

test('whatever is pruned, every boundary above the settled floor can still be built, and so can the newest state', async () => {
  let deletions = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const disk = new SimulatedDisk();
      let ledger = await openAt('/sim', { fs: disk });
      await ledger.takeOver();
      const counters = new Counters();
      let tMs = 0;
      let floorMs = 0;
      for (const item of steps) {
        if (item.do === 'append') {
          tMs += 1000;
          foldTo(counters, tMs);
          await ledger.append(contentOf(tMs, counters.changes()));
        } else if (item.do === 'base' && tMs > 0) {
          await ledger.appendBase(contentOf(tMs, counters.everything()));
        } else if (item.do === 'reopen') {
          await ledger.close();
          ledger = await openAt('/sim', { fs: disk });
          expect(await ledger.takeOver()).toBe(ledger.claim);
        } else if (item.do === 'prune') {
          floorMs = Math.max(floorMs, Math.floor((tMs * item.percent) / 100));
          const before = ledger.sizeBytes();
          const freed = await ledger.prune(floorMs);
          if (freed > 0) deletions++;
          expect(ledger.sizeBytes()).toBe(before - freed);
          expect([...disk.names.values()].reduce((sum, inode) => sum + inode.data.length, 0)).toBe(ledger.sizeBytes());
          for (let t = Math.floor(floorMs / 1000) * 1000 + 1000; t <= tMs; t += 1000) {
            const base = await ledger.baseBefore(t);
            const built = new Counters();
            if (base !== undefined) built.load(base.sections);
            for await (const entry of ledger.read(base?.tMs ?? Number.NEGATIVE_INFINITY)) {
              if (entry.tMs > t) break;
              built.load(entry.sections);
            }
            expect(built.state()).toEqual(stateAt(t));
          }
        }
      }
      const rebuilt = await rebuild(ledger);
      expect([rebuilt.tMs, rebuilt.counters.state()]).toEqual([tMs, stateAt(tMs)]);
      await ledger.close();
    }),
    { numRuns: 60 },
  );
  expect(deletions).toBeGreaterThan(10);
});

test('reading what was pruned is an error, never a hole', async () => {
  const ledger = await openAt('/sim', { fs: new SimulatedDisk() });
  await ledger.takeOver();
  for (let t = 1000; t <= 6000; t += 1000) {
    await ledger.append(contentOf(t));
    if (t % 2000 === 0) await ledger.appendBase(contentOf(t));
  }
  expect(await ledger.prune(1999)).toBe(0);
  const reading = ledger.read(0)[Symbol.asyncIterator]();
  expect((await reading.next()).value!.tMs).toBe(1000);
  expect(await ledger.prune(5000)).toBeGreaterThan(0);
  await expect(reading.next()).rejects.toMatchObject({ code: 'pruned' });
  await expect(timesOf(ledger.read(3999))).rejects.toBeInstanceOf(LedgerError);
  expect(await timesOf(ledger.read(4000))).toEqual([5000, 6000]);
  expect(await ledger.baseBefore(3999)).toBeUndefined();
  expect((await ledger.baseBefore(5999))!.tMs).toBe(4000);
  await ledger.close();
});

test('claims and settled pointers outlive the files that they were written in', async () => {
  const disk = new SimulatedDisk();
  for (let round = 1; round <= 3; round++) {
    const ledger = await openAt('/sim', { fs: disk });
    expect(await ledger.takeOver()).toBe(round);
    ledger.settle(`tenant-${round}`, round);
    await ledger.append(contentOf(round * 1000));
    await ledger.appendBase(contentOf(round * 1000));
    await ledger.prune(Number.POSITIVE_INFINITY);
    await ledger.close();
    expect(disk.names.size).toBe(2);
  }
  const ledger = await openAt('/sim', { fs: disk });
  const { claim, settled, last } = await ledger.recover();
  expect({ claim, settled, tMs: last!.tMs }).toEqual({
    claim: 3,
    settled: new Map([
      ['tenant-1', 1],
      ['tenant-2', 2],
      ['tenant-3', 3],
    ]),
    tMs: 3000,
  });
  await expect(async () => {
    await ledger.takeOver();
    await ledger.append(contentOf(4000, [], { offsets: [[0, 1]] }));
  }).rejects.toMatchObject({ code: 'broken_chain' });
  await ledger.close();
});
