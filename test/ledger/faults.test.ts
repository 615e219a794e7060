import { describe, expect, test } from 'vitest';
import { type Ledger, LedgerError, verifyChain } from '../../src/ledger/index.ts';
import { contentOf, foldTo, openAt, rebuild, stateAt, timesOf } from './helpers.ts';
import { Crashed, generator, type Loss, SimulatedDisk } from './simulated-disk.ts';

/** What a run knows when it ends: T of the newest acknowledged and the newest tried entry, and what was settled. */
interface Progress {
  acknowledgedMs: number;
  triedMs: number;
  /** Settled pointers that an acknowledged call made durable, and those that may be durable. */
  durableSettled: number;
  settled: number;
  /** The floor of the last prune that was tried: what is above it must be readable. */
  floorMs: number;
  acknowledgedClaim: number;
  triedClaim: number;
}

const KEY = 'acme\u0000prom';
const SCRIPT = ['append', 'append', 'settle', 'append', 'base', 'append', 'settle', 'flush', 'append', 'claim', 'append', 'settle',
  'base', 'prune', 'append', 'append', 'settle', 'base', 'base', 'prune', 'append', 'settle', 'prune', 'append'] as const; // biome-ignore format: a script

function fresh(): Progress {
  return {
    acknowledgedMs: 0,
    triedMs: 0,
    durableSettled: 0,
    settled: 0,
    floorMs: 0,
    acknowledgedClaim: 0,
    triedClaim: 0,
  };
}

/** Runs the script; each call is made through `attempt`, which may make it again or give up. */
async function run(
  disk: SimulatedDisk,
  progress: Progress,
  attempt: <T>(call: () => Promise<T>) => Promise<T>,
): Promise<Ledger> {
  const ledger = await attempt(() => openAt('/sim', { fs: disk }));
  const counters = (await attempt(() => rebuild(ledger))).counters;
  const claim = async () => {
    progress.triedClaim = ledger.claim + 1;
    progress.acknowledgedClaim = await attempt(() => ledger.takeOver());
    progress.durableSettled = progress.settled;
  };
  await claim();
  for (const step of SCRIPT) {
    const tMs = progress.acknowledgedMs;
    if (step === 'append') {
      progress.triedMs = tMs + 1000;
      foldTo(counters, tMs + 1000);
      const content = contentOf(tMs + 1000, counters.changes());
      await attempt(() => ledger.append(content));
      progress.acknowledgedMs = tMs + 1000;
      progress.durableSettled = progress.settled;
    } else if (step === 'base') {
      await attempt(() => ledger.appendBase(contentOf(tMs, counters.everything())));
    } else if (step === 'settle') {
      progress.settled = tMs;
      ledger.settle(KEY, tMs);
    } else if (step === 'flush') {
      await attempt(() => ledger.flush());
      progress.durableSettled = progress.settled;
    } else if (step === 'claim') await claim();
    else {
      progress.floorMs = progress.settled;
      await attempt(() => ledger.prune(progress.floorMs));
    }
  }
  return ledger;
}

/** Opens what the crash left, and holds it against what the run knew. */
async function expectRecovered(disk: SimulatedDisk, progress: Progress): Promise<Ledger> {
  const ledger = await openAt('/sim', { fs: disk });
  const { settled } = await ledger.recover();
  const { tMs, counters } = await rebuild(ledger);
  expect([progress.acknowledgedMs, progress.triedMs]).toContain(tMs);
  expect(counters.state()).toEqual(stateAt(tMs));
  const pointer = settled.get(KEY) ?? 0;
  expect(pointer).toBeGreaterThanOrEqual(progress.durableSettled);
  expect(pointer).toBeLessThanOrEqual(progress.settled);
  expect([progress.acknowledgedClaim, progress.triedClaim]).toContain(ledger.claim);
  // What is unsettled can be sent: a base at or below the floor, or everything from the first entry on.
  const from = await ledger.baseBefore(progress.floorMs);
  const times = await timesOf(ledger.read(from?.tMs ?? Number.NEGATIVE_INFINITY));
  const firstMs = (from?.tMs ?? 0) + 1000;
  expect(times).toEqual(Array.from({ length: (tMs - firstMs) / 1000 + 1 }, (_, i) => firstMs + i * 1000));
  expect(await verifyChain('/sim/shard-0', disk)).toMatchObject({ isSound: true, tornBytes: 0 });
  return ledger;
}

/** Two more entries and a base, then a clean end: nothing that the crash left may stand in the way. */
async function expectGoesOn(disk: SimulatedDisk, ledger: Ledger): Promise<void> {
  const { tMs, counters } = await rebuild(ledger);
  await ledger.takeOver();
  for (let t = tMs + 1000; t <= tMs + 2000; t += 1000) {
    foldTo(counters, t);
    await ledger.append(contentOf(t, counters.changes()));
    await ledger.appendBase(contentOf(t, counters.everything()));
  }
  await ledger.prune(tMs);
  await ledger.close();
  const again = await openAt('/sim', { fs: disk });
  const rebuilt = await rebuild(again);
  expect([rebuilt.tMs, rebuilt.counters.state()]).toEqual([tMs + 2000, stateAt(tMs + 2000)]);
  await again.close();
  expect(await verifyChain('/sim/shard-0', disk)).toMatchObject({ isSound: true });
}

const LOSSES: Loss[] = ['all', 'nothing', 1, 2, 3, 4];

async function stepsOf(): Promise<number> {
  const disk = new SimulatedDisk();
  await (await run(disk, fresh(), (call) => call())).close();
  return disk.steps;
}

/** Runs until the disk stops. */
async function crashed(disk: SimulatedDisk, progress: Progress, atStep: number): Promise<void> {
  disk.arm(() => undefined, atStep);
  try {
    await run(disk, progress, (call) => call());
  } catch (error) {
    expect((error as LedgerError).cause).toBeInstanceOf(Crashed);
  }
}

describe('a crash', () => {
  test('at every step leaves the last acknowledged entry or the one that was being written, whatever the disk lost', async () => {
    const steps = await stepsOf();
    expect(steps).toBeGreaterThan(60);
    for (let step = 0; step <= steps; step++) {
      const progress = fresh();
      const stopped = new SimulatedDisk();
      await crashed(stopped, progress, step);
      for (const loss of LOSSES) {
        const disk = stopped.clone();
        disk.crash(loss);
        await expectGoesOn(disk, await expectRecovered(disk, progress));
      }
    }
  });

  test('again and again, at random steps of recovery and of what follows, never loses an acknowledged entry', async () => {
    const random = generator(42);
    for (let round = 0; round < 150; round++) {
      const disk = new SimulatedDisk();
      const progress = fresh();
      for (let n = 0; n < 4; n++) {
        await crashed(disk, progress, Math.floor(random() * (n === 0 ? 70 : 12)));
        disk.crash(Math.floor(random() * 1e9));
        const ledger = await expectRecovered(disk, progress);
        const { tMs } = await rebuild(ledger);
        progress.acknowledgedMs = tMs;
        progress.triedMs = tMs;
        progress.acknowledgedClaim = ledger.claim;
        progress.triedClaim = ledger.claim;
        progress.durableSettled = ledger.settled().get(KEY) ?? 0;
        progress.settled = progress.durableSettled;
        disk.crash('nothing');
      }
    }
  });
});

describe.each(['ENOSPC', 'EIO'])('%s', (code) => {
  /** Makes a call again after a failure; whatever fails must say so with a LedgerError that may be retried. */
  async function persistent<T>(call: () => Promise<T>): Promise<T> {
    for (let n = 0; ; n++) {
      try {
        return await call();
      } catch (error) {
        expect(error).toBeInstanceOf(LedgerError);
        expect(error).toMatchObject({ code: code === 'ENOSPC' ? 'disk_full' : 'ledger_io', isRetryable: true });
        if (n === 20) throw error;
      }
    }
  }

  test('at any step, once or for a while, is survived by making the same call again', async () => {
    const steps = await stepsOf();
    let failures = 0;
    for (const lasting of [1, 2, 3, 9]) {
      for (let step = 0; step < steps; step++) {
        const disk = new SimulatedDisk();
        const progress = fresh();
        disk.arm((n) => (n >= step && n < step + lasting ? code : undefined));
        const ledger = await run(disk, progress, (call) =>
          persistent(async () => {
            try {
              return await call();
            } catch (error) {
              failures++;
              throw error;
            }
          }),
        );
        disk.arm(() => undefined);
        const { tMs, counters } = await rebuild(ledger);
        expect([tMs, counters.state()]).toEqual([progress.acknowledgedMs, stateAt(progress.acknowledgedMs)]);
        await ledger.close();
        await expectGoesOn(disk, await expectRecovered(disk, progress));
      }
    }
    expect(failures).toBeGreaterThan(steps * 3);
  });

  test('at any step and a crash right after it loses nothing that was acknowledged', async () => {
    const steps = await stepsOf();
    for (let step = 0; step < steps; step++) {
      for (const distance of [1, 2, 3, 5, 8]) {
        const stopped = new SimulatedDisk();
        const progress = fresh();
        stopped.arm((n) => (n === step ? code : undefined), step + distance);
        await run(stopped, progress, (call) => persistent(call)).catch(() => {
          // Only the stopped machine may have ended the run.
          expect(stopped.steps).toBeGreaterThan(step + distance);
        });
        for (const loss of ['all', 'nothing', step + 1] as const) {
          const disk = stopped.clone();
          disk.crash(loss);
          await expectGoesOn(disk, await expectRecovered(disk, progress));
        }
      }
    }
  });
});

test('an append that failed leaves no byte in the file, and settled pointers wait for the next one', async () => {
  const disk = new SimulatedDisk();
  const ledger = await openAt('/sim', { fs: disk });
  await ledger.takeOver();
  await ledger.append(contentOf(1000));
  const size = () => [...disk.names.values()][0]!.data.length;
  const before = size();
  ledger.settle(KEY, 1000);
  disk.arm((step) => (step === 0 ? 'ENOSPC' : undefined));
  await expect(ledger.append(contentOf(2000))).rejects.toMatchObject({ code: 'disk_full', isRetryable: true });
  expect(size()).toBe(before);
  await ledger.append(contentOf(2000));
  disk.crash('all');
  const again = await openAt('/sim', { fs: disk });
  const { last, settled } = await again.recover();
  expect([last!.tMs, settled.get(KEY)]).toEqual([2000, 1000]);
  await again.close();
});

test('a rejected T may be appended with other content: the chain goes on from what is durable', async () => {
  const disk = new SimulatedDisk();
  const ledger = await openAt('/sim', { fs: disk });
  await ledger.takeOver();
  await ledger.append(contentOf(1000));
  disk.arm((step) => (step === 1 ? 'EIO' : undefined));
  await expect(ledger.append(contentOf(2000))).rejects.toMatchObject({ code: 'ledger_io' });
  await ledger.append(contentOf(1500));
  expect(await timesOf(ledger.read(0))).toEqual([1000, 1500]);
  expect(ledger.stats().repairs).toBe(1);
  await ledger.close();
});
