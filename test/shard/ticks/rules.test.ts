import { describe, expect, it } from 'vitest';
import { replayTicks, TICK_TIMES, TickMachine, type TickOptions } from '../../../src/shard/ticks/index.ts';
import { batchOf, ToyFold } from './toy.ts';

// All times below are seconds, for the reader.
const s = (seconds: number) => seconds * 1_000;

interface Setup {
  partitions?: number[];
  startS?: number | undefined;
  boundaryS?: number;
}

/** A machine, and all that it says as text: `open 10`, `fold 0/3`, `close 11 [4,0]`. */
function setup({ partitions = [0, 1], startS = 100, boundaryS = 1_000 }: Setup = {}) {
  const said: string[] = [];
  const owner = { hasWork: false, mayClose: true };
  const options: TickOptions = {
    ...TICK_TIMES,
    from: new Map(partitions.map((id) => [id, 0])),
    boundaryMs: s(boundaryS),
    startMs: startS < 0 ? undefined : s(startS),
  };
  const machine = new TickMachine(options, {
    open: (startMs) => said.push(`open ${startMs / 1_000}`),
    fold: (batch, index) => said.push(`fold ${batch.partition}/${batch.offsets[index]}`),
    close: (endMs, nextOffsets) => said.push(`close ${endMs / 1_000} [${nextOffsets}]`),
    hasWork: () => owner.hasWork,
    mayClose: () => owner.mayClose,
    drained: (partition, bufferedBytes) => said.push(`drained ${partition} to ${bufferedBytes}`),
  });
  return {
    machine,
    owner,
    offer(partition: number, records: [offset: number, stampS: number][], readAtS = 100) {
      machine.offer(
        batchOf(
          partition,
          records.map(([offset, stampS]) => [offset, s(stampS)]),
          s(readAtS),
        ),
      );
    },
    end(partition: number, end: number, wallS: number) {
      machine.end({ partition, end, wallMs: s(wallS) });
    },
    /** What the machine says in a run, without what it says of memory. */
    run(wallS: number, budget?: number): string[] {
      said.length = 0;
      machine.run(s(wallS), budget);
      return said.filter((line) => !line.startsWith('drained'));
    },
    said,
  };
}

describe('a part of a tick', () => {
  it('is folded as soon as it is known to be next, before the tick is over', () => {
    const { offer, run } = setup();
    offer(1, [[0, 100.2]]);
    expect(run(100.3)).toEqual([]);
    offer(0, [
      [0, 100.1],
      [1, 100.4],
    ]);
    expect(run(100.5)).toEqual(['open 100', 'fold 0/0', 'fold 0/1']);
    offer(0, [[2, 101]]);
    expect(run(101)).toEqual(['fold 1/0']);
  });

  it('is complete when a record of a later tick is next', () => {
    const { offer, run } = setup();
    offer(0, [
      [0, 100.9],
      [1, 101],
    ]);
    offer(1, [[0, 101.5]]);
    expect(run(101.6)).toEqual(['open 100', 'fold 0/0', 'close 101 [1,0]', 'open 101', 'fold 0/1']);
  });

  it('is complete at the end that the partition had a grace after the tick, not sooner', () => {
    const { offer, end, run } = setup({ partitions: [0] });
    offer(0, [[0, 100.5]]);
    end(0, 1, 101.999);
    expect(run(102.5)).toEqual(['open 100', 'fold 0/0']);
    end(0, 1, 102);
    expect(run(102.5)).toEqual(['close 101 [1]']);
  });

  it("isn't complete by a mark while something delivered before it is unfolded", () => {
    const { offer, end, run } = setup({ partitions: [0] });
    offer(0, [
      [0, 100.1],
      [1, 100.2],
    ]);
    end(0, 2, 110);
    expect(run(110, 1)).toEqual(['open 100', 'fold 0/0']);
    expect(run(110)).toEqual(['fold 0/1', 'close 101 [2]']);
  });

  it('takes the end itself as its next offset when nothing is delivered up to there', () => {
    const { offer, end, run } = setup({ partitions: [0] });
    offer(0, [[3, 100.5]]);
    end(0, 9, 102);
    expect(run(102)).toEqual(['open 100', 'fold 0/3', 'close 101 [9]']);
  });

  it('takes nothing more once it is complete: what comes later waits for the next tick', () => {
    const { offer, end, run, machine } = setup();
    end(0, 0, 102);
    offer(1, [[0, 100.5]]);
    expect(run(102)).toEqual(['open 100', 'fold 1/0']);
    offer(0, [[0, 100.7]]);
    end(1, 1, 102.1);
    expect(run(102.1)).toEqual(['close 101 [0,1]', 'open 101', 'fold 0/0']);
    expect(machine.stats().counters).toMatchObject({ late: 1, held: 0 });
  });

  it('stays complete by a mark when the clock was set back after it', () => {
    const { end, run, machine } = setup({ partitions: [0] });
    end(0, 0, 102);
    end(0, 0, 99);
    run(102);
    expect(machine.stats().openTickStartMs).toBe(s(101));
  });

  it('ends even if a partition always has something late to say', () => {
    const { offer, end, run } = setup({ partitions: [0] });
    end(0, 0, 102);
    offer(0, [
      [0, 99],
      [1, 99],
    ]);
    expect(run(102, 1)).toEqual(['open 100', 'fold 0/0']);
    offer(0, [[2, 99]]);
    expect(run(102)).toEqual(['fold 0/1', 'close 101 [2]', 'open 101', 'fold 0/2']);
  });
});

describe("a record's time", () => {
  it('is the running maximum of its partition', () => {
    const { offer, run } = setup({ partitions: [0] });
    offer(0, [
      [0, 101.5],
      [1, 100.2],
    ]);
    offer(0, [[2, 102]]);
    expect(run(102)).toEqual(['open 101', 'fold 0/0', 'fold 0/1', 'close 102 [2]', 'open 102', 'fold 0/2']);
  });

  it('is that of its predecessor if it claims to be further ahead than allowed', () => {
    const { offer, run, machine } = setup({ partitions: [0] });
    offer(0, [
      [0, 100.5],
      [1, 110.001],
      [2, 100.6],
      [3, 110],
    ]);
    expect(run(110)).toEqual(['open 100', 'fold 0/0', 'fold 0/1', 'fold 0/2', 'close 101 [3]', 'open 110', 'fold 0/3']);
    expect(machine.stats().counters).toMatchObject({ future: 1, late: 0 });
  });

  it('before the open tick means the open tick', () => {
    const { offer, run, machine } = setup({ partitions: [0] });
    offer(0, [
      [0, 12],
      [1, 100.1],
    ]);
    expect(run(100.2)).toEqual(['open 100', 'fold 0/0', 'fold 0/1']);
    expect(machine.stats().counters).toMatchObject({ late: 1 });
  });
});

describe('a tick', () => {
  it('never closes before the clock has reached its end', () => {
    const { offer, run } = setup({ partitions: [0] });
    offer(0, [
      [0, 100.5],
      [1, 108],
    ]);
    expect(run(100.999)).toEqual(['open 100', 'fold 0/0']);
    expect(run(101)).toEqual(['close 101 [1]']);
    expect(run(107.9)).toEqual([]);
    expect(run(108)).toEqual(['open 108', 'fold 0/1']);
  });

  it("stays as it is while its owner doesn't let it close", () => {
    const { offer, run, owner, machine } = setup({ partitions: [0] });
    offer(0, [
      [0, 100.5],
      [1, 101],
    ]);
    owner.mayClose = false;
    expect(run(103)).toEqual(['open 100', 'fold 0/0']);
    offer(0, [[2, 101.2]]);
    expect(run(104)).toEqual([]);
    expect(machine.stats()).toMatchObject({ isCloseRefused: true, openTickStartMs: s(100), openTickRecords: 1 });
    owner.mayClose = true;
    expect(run(104)).toEqual(['close 101 [1]', 'open 101', 'fold 0/1', 'fold 0/2']);
  });

  it('is jumped over if it is empty, up to the earliest record', () => {
    const { offer, run } = setup();
    offer(0, [[0, 900.5]], 900);
    offer(1, [[0, 800.5]], 900);
    offer(1, [[1, 801]], 900);
    expect(run(901)).toEqual(['open 800', 'fold 1/0', 'close 801 [0,1]', 'open 801', 'fold 1/1']);
  });

  it('is jumped over only as far as every partition is known to be empty', () => {
    const { offer, end, run } = setup();
    offer(0, [[0, 900.5]], 900);
    end(1, 0, 500.7);
    run(901);
    offer(1, [[0, 499.9]], 900);
    expect(run(901)).toEqual(['open 499', 'fold 1/0']);
  });

  it("isn't jumped over for a record that claims to be far ahead, nor those of the records behind it", () => {
    const { offer, end, run } = setup();
    end(0, 0, 102);
    offer(1, [[0, 100.5]]);
    expect(run(102)).toEqual(['open 100', 'fold 1/0']);
    offer(0, [
      [0, 4_000_000],
      [1, 101.5],
    ]);
    end(1, 1, 110);
    expect(run(110)).toEqual(['close 101 [0,1]', 'open 101', 'fold 0/0', 'fold 0/1']);
  });

  it('is closed at each boundary in between while there is work, though it is empty', () => {
    const { offer, end, run, owner } = setup({ partitions: [0], boundaryS: 15 });
    owner.hasWork = true;
    end(0, 0, 131.5);
    expect(run(131.5)).toEqual(['close 105 [0]', 'close 120 [0]']);
    offer(0, [[0, 140]], 140);
    expect(run(140)).toEqual(['close 135 [0]', 'open 140', 'fold 0/0']);
  });

  it('is jumped over at any length without work', () => {
    const { offer, run } = setup({ partitions: [0], startS: 0, boundaryS: 15 });
    offer(0, [[0, 1_700_000_000]], 1_700_000_000);
    expect(run(1_700_000_000)).toEqual(['open 1700000000', 'fold 0/0']);
  });

  it('asks at each boundary whether there still is work', () => {
    const said: number[] = [];
    const machine = new TickMachine(
      { ...TICK_TIMES, from: new Map([[0, 0]]), boundaryMs: s(15), startMs: 0 },
      {
        open: () => {},
        fold: () => {},
        close: (endMs) => said.push(endMs),
        hasWork: () => said.length < 3,
        mayClose: () => true,
      },
    );
    machine.end({ partition: 0, end: 0, wallMs: s(1_700_000_000) });
    machine.run(s(1_700_000_000));
    expect(said).toEqual([s(15), s(30), s(45)]);
  });

  it('of a quiet log is closed by the clock at boundaries', () => {
    const { end, run, owner } = setup({ partitions: [0], boundaryS: 15 });
    owner.hasWork = true;
    const closes: string[] = [];
    for (let wallS = 100; wallS <= 137; wallS += 0.25) {
      end(0, 0, wallS);
      closes.push(...run(wallS).map((line) => `${wallS}: ${line}`));
    }
    expect(closes).toEqual(['106: close 105 [0]', '121: close 120 [0]', '136: close 135 [0]']);
  });
});

describe('a partition that says nothing', () => {
  /** Partition 1 answers every second, partition 0 doesn't. */
  function silence(harness: ReturnType<typeof setup>, fromS: number, toS: number): string[] {
    const said: string[] = [];
    for (let wallS = fromS; wallS <= toS; wallS++) {
      harness.end(1, 1, wallS);
      said.push(...harness.run(wallS).map((line) => `${wallS}: ${line}`));
    }
    return said;
  }

  it('is waited for so long, then released until it is back', () => {
    const harness = setup();
    const { machine, offer, end, run } = harness;
    end(0, 0, 100);
    offer(1, [[0, 100.5]]);
    // The first run sets the clock of patience: 60 s after it the partition is given up.
    expect(silence(harness, 100, 159)).toEqual([]);
    expect(machine.stats().waitingFor).toBe(0);
    expect(silence(harness, 160, 160)).toEqual(['160: open 100', '160: fold 1/0', '160: close 101 [0,1]']);
    expect(machine.stats()).toMatchObject({ counters: { releases: 1 }, partitions: [{ isReleased: true }, {}] });
    // It isn't waited for again: later ticks close a grace after their end.
    offer(1, [[1, 160.5]], 161);
    expect(silence(harness, 161, 162)).toEqual(['162: open 160', '162: fold 1/1', '162: close 161 [0,2]']);
    // What it has to say of the past is held against the open tick; it stays released.
    offer(0, [[0, 130]], 163);
    expect(run(163)).toEqual(['open 161', 'fold 0/0']);
    expect(machine.stats()).toMatchObject({ counters: { held: 1, late: 0 }, partitions: [{ isReleased: true }, {}] });
    expect(silence(harness, 163, 163)).toEqual(['163: close 162 [1,2]']);
    // A record that reaches the open tick makes it one like the others again.
    offer(0, [[1, 163]], 163);
    run(163);
    expect(machine.stats().partitions[0]).toMatchObject({ isReleased: false });
  });

  it('is one like the others again when its end is reached', () => {
    const harness = setup();
    silence(harness, 100, 160);
    expect(harness.machine.stats().partitions[0]).toMatchObject({ isReleased: true });
    harness.end(0, 0, 161);
    expect(harness.machine.stats().partitions[0]).toMatchObject({ isReleased: false });
    harness.end(1, 1, 163);
    harness.run(163);
    expect(harness.machine.stats()).toMatchObject({ waitingFor: 0, openTickStartMs: s(160) });
  });

  it('is waited for again in the very tick that a record of it reaches', () => {
    const harness = setup();
    silence(harness, 100, 160);
    harness.end(1, 1, 163);
    const records: [number, number][] = [
      [0, 120],
      [1, 159.2],
    ];
    harness.offer(0, records, 163);
    expect(harness.run(163)).toEqual(['open 159', 'fold 0/0', 'fold 0/1']);
    expect(harness.machine.stats()).toMatchObject({ waitingFor: 0, counters: { held: 1, late: 0 } });
  });

  it("doesn't keep ticks from being jumped over once it is released", () => {
    const harness = setup();
    silence(harness, 100, 160);
    harness.end(1, 1, 1_700_000_000);
    harness.machine.run(s(1_700_000_000), 10);
    expect(harness.machine.stats().openTickStartMs).toBe(s(1_699_999_999));
  });

  it("isn't released while it delivers, however far behind", () => {
    const harness = setup();
    for (let i = 0; i < 200; i++) {
      harness.offer(0, [[i, 50 + i / 10]], 100 + i);
      expect(silence(harness, 100 + i, 100 + i).join()).not.toContain('close');
    }
    expect(harness.machine.stats().counters).toMatchObject({ releases: 0, late: 200 });
  });

  it("isn't released while it is paused", () => {
    const harness = setup();
    harness.machine.setPaused(0, true);
    expect(silence(harness, 100, 300)).toEqual([]);
    harness.machine.setPaused(0, false);
    silence(harness, 301, 359);
    expect(harness.machine.stats()).toMatchObject({ waitingFor: 0, counters: { releases: 0 } });
    silence(harness, 360, 361);
    expect(harness.machine.stats().counters.releases).toBe(1);
  });

  it('is released while the others are silent because they are paused', () => {
    const { machine, offer, run } = setup();
    offer(1, [[0, 100.5]]);
    machine.setPaused(1, true);
    for (let wallS = 100; wallS < 160; wallS++) run(wallS);
    expect(machine.stats().counters.releases).toBe(0);
    expect(run(160)).toEqual(['open 100', 'fold 1/0']);
    expect(machine.stats()).toMatchObject({ waitingFor: 1, counters: { releases: 1 } });
  });

  it("isn't given up before any partition has said a word", () => {
    const harness = setup();
    for (let wallS = 10; wallS < 100; wallS++) harness.run(wallS);
    silence(harness, 100, 158);
    expect(harness.machine.stats().counters.releases).toBe(0);
    silence(harness, 159, 159);
    expect(harness.machine.stats().counters.releases).toBe(1);
  });

  it("isn't released while the whole log is silent, nor at once when the others are back", () => {
    const harness = setup();
    silence(harness, 100, 130);
    for (let wallS = 131; wallS < 4_000; wallS++) harness.run(wallS);
    // Silence costs patience for 15 s before it counts as that of the whole log.
    silence(harness, 4_000, 4_014);
    expect(harness.machine.stats().counters.releases).toBe(0);
    silence(harness, 4_015, 4_016);
    expect(harness.machine.stats().counters.releases).toBe(1);
  });

  it("isn't released because the clock jumped or the machine slept", () => {
    const harness = setup();
    silence(harness, 100, 110);
    silence(harness, 5_000, 5_040);
    expect(harness.machine.stats().counters.releases).toBe(0);
  });

  it('is given up together with others that went silent when it did', () => {
    const { machine, end, run } = setup({ partitions: [0, 1, 2, 3] });
    for (let wallS = 100; wallS <= 160; wallS++) {
      end(3, 0, wallS);
      run(wallS);
    }
    expect(machine.stats().counters.releases).toBe(3);
    expect(machine.stats().openTickStartMs).toBe(s(159));
  });
});

describe('the first start', () => {
  it('begins at the earliest record once every partition has shown one or its end', () => {
    const { offer, end, run, machine } = setup({ startS: -1, partitions: [0, 1, 2] });
    offer(0, [[0, 95.5]]);
    end(2, 0, 100);
    expect(run(100)).toEqual([]);
    expect(machine.stats()).toMatchObject({ openTickStartMs: undefined, waitingFor: 1 });
    offer(1, [[0, 90.5]]);
    offer(1, [[1, 91]]);
    expect(run(100)).toEqual(['open 90', 'fold 1/0', 'close 91 [0,1,0]', 'open 91', 'fold 1/1']);
  });

  it('begins at the clock if there is nothing, and closes nothing before', () => {
    const { end, run, machine, owner } = setup({ startS: -1, boundaryS: 15 });
    owner.hasWork = true;
    end(0, 0, 100);
    end(1, 0, 100);
    expect(run(100.7)).toEqual([]);
    expect(machine.stats().openTickStartMs).toBe(s(100));
  });

  it("isn't moved by records without a time of their own", () => {
    const { offer, run, machine } = setup({ startS: -1 });
    offer(0, [
      [0, 4_000_000],
      [1, -0.001],
      [2, 98],
    ]);
    offer(1, [[0, 4_000_000]]);
    expect(run(100)).toEqual(['open 98', 'fold 0/0', 'fold 0/1', 'fold 0/2']);
    expect(machine.stats().openTickStartMs).toBe(s(98));
    expect(machine.stats().counters).toMatchObject({ future: 1, late: 1 });
  });
});

describe('delivery', () => {
  it('of what was delivered before is counted and left out', () => {
    const { offer, run, machine } = setup({ partitions: [0] });
    offer(0, [
      [0, 100.1],
      [1, 100.2],
    ]);
    offer(0, [
      [1, 100.2],
      [2, 100.3],
    ]);
    offer(0, [[2, 100.3]]);
    expect(run(100.5)).toEqual(['open 100', 'fold 0/0', 'fold 0/1', 'fold 0/2']);
    expect(machine.stats().counters).toMatchObject({ repeated: 2, folded: 3 });
  });

  it('of what lies before an end that was reached is left out: it is committed', () => {
    const { offer, end, run, machine } = setup({ partitions: [0] });
    end(0, 9, 100);
    offer(0, [
      [5, 100.1],
      [9, 100.2],
    ]);
    expect(run(100.5)).toEqual(['open 100', 'fold 0/9']);
    expect(machine.stats().counters.repeated).toBe(1);
  });

  it('of another shard is refused', () => {
    const { offer, end } = setup();
    expect(() => offer(7, [[0, 100]])).toThrow(RangeError);
    expect(() => end(7, 0, 100)).toThrow(RangeError);
  });

  it('is held in memory until a batch is folded to its end', () => {
    const { offer, run, machine, said } = setup({ partitions: [0] });
    offer(0, [
      [0, 100.1],
      [1, 100.2],
    ]);
    const { bufferedBytes } = machine.stats().partitions[0]!;
    expect(bufferedBytes).toBeGreaterThan(20);
    run(100.5, 1);
    expect(machine.stats().partitions[0]!.bufferedBytes).toBe(bufferedBytes);
    run(100.5, 1);
    expect(said).toEqual(['fold 0/1', 'drained 0 to 0']);
  });

  it('says when a budget ended it, and goes on from there', () => {
    const { offer, machine, said } = setup({ partitions: [0] });
    offer(0, [
      [0, 100.1],
      [1, 101.1],
      [2, 102],
    ]);
    const runs: boolean[] = [];
    do runs.push(machine.run(s(102), 1));
    while (runs.at(-1) && runs.length < 20);
    // Three records and two ticks; the last run finds that it has nothing to do.
    expect(runs).toEqual([true, true, true, true, false]);
    expect(said.filter((line) => line.startsWith('fold'))).toHaveLength(3);
  });
});

describe('a partition that appears later', () => {
  it('takes part from the next tick on if its turn is over in this one', () => {
    const { offer, end, run, machine } = setup({ partitions: [1, 3] });
    offer(1, [[0, 100.1]]);
    end(1, 1, 102);
    offer(3, [[0, 100.2]]);
    run(102);
    machine.addPartition(2, 5);
    offer(2, [[5, 100.3]], 102);
    end(3, 1, 102);
    expect(run(102)).toEqual(['close 101 [1,5,1]']);
    end(1, 1, 103);
    expect(run(103)).toEqual(['open 101', 'fold 2/5']);
  });

  it('is given its time from then on', () => {
    const { end, run, machine } = setup({ partitions: [0] });
    for (let wallS = 100; wallS <= 300; wallS++) {
      end(0, 0, wallS);
      run(wallS);
    }
    machine.addPartition(1, 0);
    end(0, 0, 310);
    run(310);
    expect(machine.stats()).toMatchObject({ waitingFor: 1, counters: { releases: 0 } });
  });

  it('takes part in this tick if its turn is still to come', () => {
    const { offer, end, run, machine } = setup({ partitions: [1, 2] });
    offer(1, [[0, 100.1]]);
    run(102);
    machine.addPartition(4, 0);
    offer(4, [[0, 100.3]], 102);
    end(1, 1, 102);
    end(2, 0, 102);
    end(4, 1, 102);
    expect(run(102)).toEqual(['fold 4/0', 'close 101 [1,0,1]']);
  });
});

describe('options', () => {
  it('that would cut a tick in two are refused', () => {
    expect(() => setup({ boundaryS: 1.5 })).toThrow(RangeError);
    expect(() => setup({ startS: 99.5 })).toThrow(RangeError);
    expect(() => setup().machine.setBoundaryMs(0)).toThrow(RangeError);
    expect(() => setup().machine.addPartition(1, 0)).toThrow(RangeError);
  });

  it('let the boundary change', () => {
    const { end, run, owner, machine } = setup({ partitions: [0], boundaryS: 15 });
    owner.hasWork = true;
    machine.setBoundaryMs(s(10));
    end(0, 0, 121);
    expect(run(121)).toEqual(['close 110 [0]', 'close 120 [0]']);
  });
});

describe('a replay', () => {
  it('passes over records outside of a tick that the reader gives too', async () => {
    const toy = new ToyFold(s(60));
    const all = batchOf(
      0,
      [1, 2, 3, 4].map((offset) => [offset, s(100)]),
      s(100),
    );
    const ticks = [
      { tickEndMs: s(101), partitions: [0], nextOffsets: Float64Array.of(3) },
      { tickEndMs: s(115), partitions: [0], nextOffsets: Float64Array.of(3) },
      { tickEndMs: s(116), partitions: [0], nextOffsets: Float64Array.of(4) },
    ];
    let opened = 0;
    await replayTicks(ticks, new Map([[0, 1]]), s(1), () => [all], {
      open(startMs) {
        opened++;
        toy.open(startMs);
      },
      fold: (...record) => toy.fold(...record),
      close: (...tick) => toy.close(...tick),
    });
    expect(opened).toBe(2);
    expect(toy.folds.map(({ offset, tickStartMs }) => [offset, tickStartMs])).toEqual([
      [1, s(100)],
      [2, s(100)],
      [3, s(115)],
    ]);
    expect(toy.closes.map(({ tickEndMs }) => tickEndMs)).toEqual([s(101), s(115), s(116)]);
  });
});
