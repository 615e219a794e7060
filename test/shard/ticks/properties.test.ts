import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replayTicks, TICK_TIMES } from '../../../src/shard/ticks/index.ts';
import { BOUNDARY_MS, type Planned, type Scenario, Simulation, T0_MS, YEAR_2100_MS } from './model-log.ts';
import { batchOf, ToyFold } from './toy.ts';

const { tickMs, graceMs, maxHoldMs, maxAheadMs } = TICK_TIMES;
const SEEDED = { seed: 20_240_611, numRuns: 300 };

const punctual = fc.record({ deltaMs: fc.integer({ min: 0, max: 3 }) });
const anyStamp: fc.Arbitrary<Planned['stamp']> = fc.oneof(
  { weight: 6, arbitrary: punctual },
  { weight: 2, arbitrary: fc.record({ deltaMs: fc.integer({ min: -40_000, max: 25_000 }) }) },
  { weight: 1, arbitrary: fc.constantFrom(YEAR_2100_MS, 5_000, -1, T0_MS, T0_MS + 20_000).map((atMs) => ({ atMs })) },
);
const anyPause = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 400 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 4_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 90_000 }) },
);
const planned = fc.record({
  partition: fc.nat(3),
  afterMs: anyPause,
  stamp: anyStamp,
  delayMs: fc.oneof({ weight: 4, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(20_000) }),
  gap: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(5) }),
});
const outage = fc.record({ partition: fc.nat(3), fromMs: fc.nat(200_000), lengthMs: fc.nat(150_000) });

const anything: fc.Arbitrary<Scenario> = fc
  .record({
    partitions: fc.integer({ min: 1, max: 4 }),
    records: fc.array(planned, { maxLength: 60, size: 'max' }),
    outages: fc.array(outage, { maxLength: 4 }),
    stepsMs: fc.array(fc.integer({ min: 50, max: 900 }), { minLength: 1, maxLength: 5 }),
    jump: fc.option(fc.record({ afterSteps: fc.nat(200), byMs: fc.nat(7_200_000) }), { nil: undefined }),
    batchRecords: fc.integer({ min: 1, max: 10 }),
    bufferRecords: fc.constantFrom(0, 1, 5, 1_000),
    runBudget: fc.constantFrom(1, 3, 1_000, Number.POSITIVE_INFINITY),
    isEager: fc.boolean(),
    refusals: fc.array(fc.nat(6), { maxLength: 3 }),
    staleMs: fc.constantFrom(7_000, 40_000, 200_000),
    restartAfterSteps: fc.option(fc.nat(300), { nil: undefined }),
    isFirstStart: fc.boolean(),
  })
  .map((scenario) => ({
    ...scenario,
    records: scenario.records.map((record) => ({ ...record, partition: record.partition % scenario.partitions })),
  }));

/** No surprises: everybody answers, delays stay within the grace, buffers suffice. */
const calm: fc.Arbitrary<Scenario> = anything.map((scenario) => ({
  ...scenario,
  outages: [],
  records: scenario.records.map((record) => ({ ...record, delayMs: record.delayMs % 300 })),
  stepsMs: scenario.stepsMs.map((stepMs) => 50 + (stepMs % 500)),
  jump: undefined,
  bufferRecords: 1_000,
  refusals: [],
  restartAfterSteps: undefined,
  isFirstStart: false,
}));

function simulated(scenario: Scenario): Simulation {
  const simulation = new Simulation(scenario);
  simulation.run();
  return simulation;
}

/** By the definition, apart from the machine: running maximum, a stamp too far ahead takes the predecessor's time. */
function effectiveTimes(simulation: Simulation, partition: number): number[] {
  let timeMs = -1;
  return simulation.log[partition]!.map(({ stampMs }, i) => {
    const isFuture = stampMs > simulation.readAtMs[partition]![i]! + maxAheadMs;
    if (!isFuture) timeMs = Math.max(timeMs, stampMs);
    return timeMs;
  });
}

function foldsOf(simulation: Simulation, partition: number) {
  return simulation.toy.folds.filter((fold) => fold.partition === partition);
}

describe('ticks of any log, under any circumstances', () => {
  it('fold every record exactly once, in the order of its partition, and close over it', () => {
    fc.assert(
      fc.property(anything, (scenario) => {
        const simulation = simulated(scenario);
        const last = simulation.toy.closes.at(-1);
        for (const [partition, records] of simulation.log.entries()) {
          const offsets = records.map(({ offset }) => offset);
          expect(foldsOf(simulation, partition).map(({ offset }) => offset)).toEqual(offsets);
          if (offsets.length > 0) expect(last!.nextOffsets[partition]).toBeGreaterThan(offsets.at(-1)!);
        }
        expect(simulation.machine.stats().partitions.every(({ bufferedBytes }) => bufferedBytes === 0)).toBe(true);
      }),
      SEEDED,
    );
  });

  it('are the same when they are folded again from what their closes said', async () => {
    await fc.assert(
      fc.asyncProperty(anything, fc.integer({ min: 1, max: 7 }), async (scenario, batchRecords) => {
        const simulation = simulated(scenario);
        const again = new ToyFold(scenario.staleMs);
        await replayTicks(
          simulation.toy.closes,
          new Map(),
          tickMs,
          (partition) => batches(simulation, partition, batchRecords),
          again,
        );
        expect(again.closes).toEqual(simulation.toy.closes);
        expect(again.folds).toEqual(simulation.toy.folds);
      }),
      SEEDED,
    );
  });

  it('fold partitions ascending within a tick, and no record before the tick of its effective time', () => {
    fc.assert(
      fc.property(anything, (scenario) => {
        const simulation = simulated({ ...scenario, restartAfterSteps: undefined });
        let before = { tickStartMs: Number.NEGATIVE_INFINITY, partition: 0 };
        for (const fold of simulation.toy.folds) {
          const isLaterPart = fold.tickStartMs === before.tickStartMs && fold.partition >= before.partition;
          expect(fold.tickStartMs > before.tickStartMs || isLaterPart).toBe(true);
          before = fold;
        }
        for (const partition of simulation.log.keys()) {
          const times = effectiveTimes(simulation, partition);
          const folds = foldsOf(simulation, partition);
          expect(folds.filter(({ tickStartMs }, i) => times[i]! >= tickStartMs + tickMs)).toEqual([]);
        }
      }),
      SEEDED,
    );
  });

  it('close in ascending order, never ahead of the clock, and at each boundary in between while there is work', () => {
    fc.assert(
      fc.property(anything, (scenario) => {
        // The simulation itself throws at a close ahead of its clock.
        const { closes } = simulated(scenario).toy;
        for (const [i, { tickEndMs, hasWork }] of closes.entries()) {
          const next = closes[i + 1];
          expect(tickEndMs % tickMs).toBe(0);
          if (next === undefined) continue;
          expect(next.tickEndMs).toBeGreaterThan(tickEndMs);
          const boundaryMs = (Math.floor(tickEndMs / BOUNDARY_MS) + 1) * BOUNDARY_MS;
          if (hasWork) expect(next.tickEndMs).toBeLessThanOrEqual(boundaryMs);
        }
      }),
      SEEDED,
    );
  });

  it('close no tick for nothing: each has records or is a boundary', () => {
    fc.assert(
      fc.property(anything, (scenario) => {
        const { closes } = simulated(scenario).toy;
        let folded = 0;
        for (const close of closes) {
          expect(close.folded > folded || close.tickEndMs % BOUNDARY_MS === 0).toBe(true);
          folded = close.folded;
        }
      }),
      SEEDED,
    );
  });

  it('follow the clock closely enough while any partition answers', () => {
    fc.assert(
      fc.property(anything, (scenario) => {
        // One more partition, always there; the clock makes no jumps and nobody has to catch up for want of memory.
        const simulation = new Simulation({
          ...scenario,
          partitions: scenario.partitions + 1,
          outages: scenario.outages.map((o) => ({ ...o, partition: o.partition % scenario.partitions })),
          jump: undefined,
          bufferRecords: 1_000,
          refusals: [],
          restartAfterSteps: undefined,
          isFirstStart: false,
          staleMs: Number.POSITIVE_INFINITY,
        });
        const stepMs = Math.max(...scenario.stepsMs);
        let worstMs = 0;
        simulation.onStep = () => {
          const newestMs = simulation.toy.closes.at(-1)?.tickEndMs;
          if (newestMs !== undefined) worstMs = Math.max(worstMs, simulation.wallMs - newestMs);
        };
        simulation.run();
        // Both the last delivery before the silence and the run that ends it may lie up to a step off.
        expect(worstMs).toBeLessThanOrEqual(graceMs + maxHoldMs + BOUNDARY_MS + tickMs + 2 * stepMs);
      }),
      SEEDED,
    );
  });
});

describe('ticks of a log whose partitions all answer', () => {
  it('release nobody, however small the buffers', () => {
    fc.assert(
      fc.property(anything, (scenario) => {
        const { counters } = simulated({ ...scenario, outages: [] }).machine.stats();
        expect(counters).toMatchObject({ releases: 0, held: 0 });
      }),
      SEEDED,
    );
  });
});

describe('ticks of a calm log', () => {
  it('hold exactly the records of their time', () => {
    const stamp = fc.record({ deltaMs: fc.integer({ min: 0, max: 9_000 }) });
    fc.assert(
      fc.property(calm, fc.array(stamp, { minLength: 60, maxLength: 60 }), (scenario, stamps) => {
        const records = scenario.records.map((record, i) => ({ ...record, stamp: stamps[i]! }));
        const simulation = simulated({ ...scenario, records });
        for (const partition of simulation.log.keys()) {
          const expected = effectiveTimes(simulation, partition).map((timeMs) => Math.floor(timeMs / tickMs) * tickMs);
          expect(foldsOf(simulation, partition).map(({ tickStartMs }) => tickStartMs)).toEqual(expected);
        }
        expect(simulation.machine.stats().counters).toMatchObject({ late: 0, held: 0, future: 0, releases: 0 });
      }),
      SEEDED,
    );
  });

  it('hold exactly the records of their time after an outage of all of it, though partitions return one by one', () => {
    const returns = fc.array(fc.nat(30_000), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(calm, fc.nat(60_000), fc.nat(600_000), returns, (scenario, fromMs, lengthMs, returnsMs) => {
        const outages = returnsMs.map((laterMs, partition) => ({ partition, fromMs, lengthMs: lengthMs + laterMs }));
        const records = scenario.records.map((record) => ({ ...record, stamp: { deltaMs: 0 } }));
        const simulation = simulated({ ...scenario, records, outages });
        for (const [partition, planned] of simulation.log.entries()) {
          const expected = planned.map(({ stampMs }) => Math.floor(stampMs / tickMs) * tickMs);
          expect(foldsOf(simulation, partition).map(({ tickStartMs }) => tickStartMs)).toEqual(expected);
        }
        expect(simulation.machine.stats().counters.releases).toBe(0);
      }),
      SEEDED,
    );
  });

  it("aren't changed by records that claim to be from the year 2100, but for these", () => {
    fc.assert(
      fc.property(calm, fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (scenario, isPoison) => {
        const records = scenario.records.map((record) => ({ ...record, stamp: { deltaMs: 0 } }));
        const poisoned = records.map((record, i) =>
          isPoison[i] ? { ...record, stamp: { atMs: YEAR_2100_MS } } : record,
        );
        const [clean, dirty] = [records, poisoned].map((all) => {
          const { folds } = simulated({ ...scenario, records: all, staleMs: Number.POSITIVE_INFINITY }).toy;
          const poison = new Set<string>();
          const next = new Map<number, number>();
          for (const [i, { partition, gap }] of records.entries()) {
            const offset = (next.get(partition) ?? 0) + gap;
            next.set(partition, offset + 1);
            if (isPoison[i]) poison.add(`${partition}/${offset}`);
          }
          return folds.filter(({ partition, offset }) => !poison.has(`${partition}/${offset}`));
        });
        expect(dirty).toEqual(clean);
      }),
      SEEDED,
    );
  });
});

function* batches(simulation: Simulation, partition: number, size: number) {
  const records = simulation.log[partition]!;
  for (let from = 0; from < records.length; from += size) {
    const slice = records.slice(from, from + size);
    yield batchOf(
      partition,
      slice.map(({ offset, stampMs }) => [offset, stampMs]),
      0,
    );
  }
}
