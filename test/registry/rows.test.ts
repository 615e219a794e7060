// The table of rows against Maps: label sets come, are updated, go stale, come back, meet limits, get new symbol numbers.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/bytes/index.ts';
import {
  INVALID_LABELS,
  Limiter,
  makeSchema,
  RowTable,
  Symbols,
  TableImage,
  type TableSchema,
} from '../../src/registry/index.ts';
import { rowChanges } from '../../src/registry/row-sections.ts';

const SCHEMA = makeSchema(
  't',
  ['a', 'b'],
  [
    { kind: 'counter', metric: 'calls' },
    { kind: 'histogram', metric: 'seconds', bounds: [1, 0.5] },
    { kind: 'gauge', metric: 'info' },
  ],
  {},
  'traceID',
);
/** Series that each part stands for. */
const COSTS = [1, 5, 1];
const FULL = 7;

type Step =
  | { kind: 'update'; labels: [string, string]; wanted: number; nowMs: number }
  | { kind: 'sweep'; cutoffMs: number }
  | { kind: 'collect' }
  | { kind: 'renumber' };

const value = fc.constantFrom('', 'x', 'y', 'z', 'é', 'a long value that differs');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      labels: fc.tuple(value, value),
      wanted: fc.constantFrom(1, 3, 5, 7),
      nowMs: fc.integer({ min: 1, max: 100 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('sweep' as const), cutoffMs: fc.integer({ min: 1, max: 100 }) }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'collect' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'renumber' }) },
);

interface ModelRow {
  admitted: number;
  updatedMs: number;
  /** Updates each part got. */
  counts: number[];
}

/** What a table with a limit has to do, in the plainest way. */
class Model {
  rows = new Map<string, ModelRow>();
  overflow: ModelRow | undefined;
  private readonly type: 'series' | 'entity';
  private readonly max: number;

  constructor(type: 'series' | 'entity', max: number) {
    this.type = type;
    this.max = max;
  }

  get active(): number {
    if (this.type === 'entity') return [...this.rows.values()].filter((row) => row.admitted !== 0).length;
    return [...this.rows.values()].reduce(
      (sum, { admitted }) => sum + COSTS.reduce((n, cost, i) => n + (admitted & (1 << i) ? cost : 0), 0),
      0,
    );
  }

  update(key: string, wanted: number, nowMs: number): void {
    const row = this.rows.get(key) ?? { admitted: 0, updatedMs: nowMs, counts: [0, 0, 0] };
    const isNew = !this.rows.has(key);
    COSTS.forEach((cost, i) => {
      const bit = 1 << i;
      if ((wanted & bit) === 0 || (row.admitted & bit) !== 0) return;
      // A row that is being made counts too: so it stands in the map while its parts are asked for.
      if (isNew && row.admitted !== 0) this.rows.set(key, row);
      const isKnownEntity = row.admitted !== 0;
      const fits = this.type === 'entity' ? isKnownEntity || this.active < this.max : this.active + cost <= this.max;
      if (this.max === 0 || fits) row.admitted |= bit;
    });
    if (row.admitted !== 0) {
      this.rows.set(key, row);
      row.updatedMs = Math.max(row.updatedMs, nowMs);
    }
    COSTS.forEach((_, i) => {
      const bit = 1 << i;
      if ((wanted & bit) === 0) return;
      if (row.admitted & bit) row.counts[i]! += 1;
      else {
        this.overflow ??= { admitted: 0, updatedMs: nowMs, counts: [0, 0, 0] };
        this.overflow.admitted |= bit;
        this.overflow.counts[i]! += 1;
        this.overflow.updatedMs = Math.max(this.overflow.updatedMs, nowMs);
      }
    });
  }

  sweep(cutoffMs: number): void {
    for (const [key, row] of this.rows) if (row.updatedMs < cutoffMs) this.rows.delete(key);
    if (this.overflow && this.overflow.updatedMs < cutoffMs) this.overflow = undefined;
  }
}

class Harness {
  symbols = new Symbols();
  readonly limiter: Limiter;
  readonly table: RowTable;

  constructor(schema: TableSchema, type: 'series' | 'entity', max: number) {
    this.limiter = new Limiter(type, max, max);
    this.table = new RowTable(schema, this.symbols, this.limiter);
  }

  setKey(labels: readonly string[]): void {
    labels.forEach((label, i) => {
      this.table.key[i] = this.symbols.internText(label);
    });
  }

  find(labels: readonly string[]): number {
    this.setKey(labels);
    return this.table.find();
  }

  /** As a processor does it. */
  update(labels: readonly string[], wanted: number, nowMs: number): void {
    const { table } = this;
    let row = this.find(labels);
    let refused = 0;
    if (row < 0) {
      row = table.admit(nowMs, wanted);
      refused = table.refused;
    } else if ((table.admitted[row]! & wanted) !== wanted) {
      table.settle(row, wanted, nowMs);
      refused = table.refused;
    }
    table.touch(row, nowMs);
    table.schema.parts.forEach((part, i) => {
      if ((wanted & (1 << i)) === 0) return;
      const target = refused & (1 << i) ? table.overflowRow : row;
      if (part.kind === 'counter') table.add(target, part, 1);
      if (part.kind === 'histogram') table.observe(target, part, 0, 0.25, 1);
    });
  }

  renumber(): void {
    const fresh = new Symbols();
    // Other strings first, so that every number changes.
    for (let i = 0; i < 5; i++) fresh.internText(`filler ${i}`);
    const old = this.symbols;
    this.table.renumber((symbol) => fresh.internBytes(old.bytes(symbol)));
    this.table.symbols = fresh;
    this.symbols = fresh;
  }
}

function check(harness: Harness, model: Model): void {
  const { table } = harness;
  expect(table.liveRows).toBe(model.rows.size + (model.overflow ? 1 : 0));
  expect(harness.limiter.limitsEntities ? harness.limiter.activeEntities : harness.limiter.activeSeries).toBe(
    model.active,
  );
  const checkRow = (row: number, wanted: ModelRow) => {
    expect(table.admitted[row]).toBe(wanted.admitted);
    expect(table.updatedMs[row]).toBe(wanted.updatedMs);
    const at = row * SCHEMA.width;
    expect([...table.values.subarray(at, at + SCHEMA.width)]).toEqual([
      wanted.counts[0],
      wanted.counts[1]! * 0.25,
      wanted.counts[1],
      0,
      0,
    ]);
  };
  for (const [key, row] of model.rows) checkRow(harness.find(key.split('|')), row);
  if (model.overflow) checkRow(table.overflowRow, model.overflow);
  else expect(table.overflowRow).toBe(-1);
}

describe('a table of rows', () => {
  test.each([
    ['no limit', 'series', 0],
    ['a limit on series', 'series', 17],
    ['a limit on entities', 'entity', 3],
  ] as const)('holds what Maps would hold, with %s', (_, type, max) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const harness = new Harness(SCHEMA, type, max);
        const model = new Model(type, max);
        const image = new TableImage(SCHEMA);
        let tMs = 1_000_000;
        for (const one of steps) {
          if (one.kind === 'update') {
            harness.update(one.labels, one.wanted, one.nowMs);
            model.update(one.labels.join('|'), one.wanted, one.nowMs);
          } else if (one.kind === 'sweep') {
            harness.table.sweep(one.cutoffMs);
            model.sweep(one.cutoffMs);
          } else if (one.kind === 'renumber') harness.renumber();
          else {
            tMs += 15_000;
            image.nextBoundary();
            image.apply(structuredClone(rowChanges(harness.table, harness.symbols, tMs)));
            const shown = [...image.rows.values()].map((row) => [
              row.overflow ? 'overflow' : row.labels.join('|'),
              row.admitted,
              row.values[0],
            ]);
            const rows: [string, ModelRow][] = [
              ...model.rows,
              ...(model.overflow ? [['overflow', model.overflow] as [string, ModelRow]] : []),
            ];
            expect(shown.sort()).toEqual(rows.map(([key, row]) => [key, row.admitted, row.counts[0]]).sort());
          }
          check(harness, model);
        }
      }),
      { numRuns: 250 },
    );
  });

  test('finds every one of many rows through growth, sweeps of every other row and renumbering', () => {
    const harness = new Harness(SCHEMA, 'series', 0);
    const labels = (i: number) => [`service ${i % 100}`, `name ${i}`];
    const N = 20_000;
    for (let i = 0; i < N; i++) harness.update(labels(i), FULL, i % 2 === 0 ? 10 : 20);
    for (let i = 0; i < N; i += 3) expect(harness.find(labels(i))).toBe(i);
    expect(harness.table.sweep(20)).toBe(N / 2);
    harness.renumber();
    for (let i = 0; i < N; i++) expect(harness.find(labels(i)) >= 0).toBe(i % 2 === 1);
    for (let i = 0; i < N; i += 2) harness.update(labels(i), FULL, 30);
    for (let i = 0; i < N; i++) {
      const row = harness.find(labels(i));
      expect(harness.table.values[row * SCHEMA.width]).toBe(1);
    }
    expect(new Set(Array.from({ length: N }, (_, i) => harness.table.ids[harness.find(labels(i))])).size).toBe(N);
    expect(harness.table.nextId).toBe(N + N / 2);
  });

  test('never gives an id again', () => {
    const harness = new Harness(SCHEMA, 'series', 0);
    const seen = new Set<number>();
    for (let i = 0; i < 50; i++) {
      harness.update(['x', String(i % 3)], FULL, i);
      seen.add(harness.table.ids[harness.find(['x', String(i % 3)])]!);
      harness.table.sweep(i + 1);
    }
    expect(seen.size).toBe(50);
  });

  test('takes no label set that is not UTF-8, and asks no limiter for it', () => {
    const harness = new Harness(SCHEMA, 'series', 1);
    harness.setKey(['x', 'y']);
    harness.table.key[1] = harness.symbols.internBytes(utf8('é').subarray(0, 1));
    expect(harness.table.find()).toBe(-1);
    expect(harness.table.admit(1, FULL)).toBe(INVALID_LABELS);
    expect(harness.limiter.counters.seriesLimited).toBe(0);
    expect(harness.table.liveRows).toBe(0);
  });

  test('counts every refusal anew', () => {
    const harness = new Harness(SCHEMA, 'series', 1);
    for (let i = 0; i < 3; i++) harness.update(['x', 'y'], FULL, i);
    // The counter fits, the histogram and the gauge never do.
    expect(harness.limiter.counters).toMatchObject({ seriesAdded: 1, seriesLimited: 18, seriesRemoved: 0 });
  });

  test('keeps the newest of the times that an update came with', () => {
    const harness = new Harness(SCHEMA, 'series', 0);
    harness.update(['x', ''], FULL, 20);
    harness.update(['x', ''], FULL, 10);
    expect(harness.table.sweep(20)).toBe(0);
    expect(harness.table.sweep(21)).toBe(1);
  });

  test('without labels has one row', () => {
    const bare = makeSchema('bare', [], [{ kind: 'counter', metric: 'calls' }], {}, 'traceID');
    const harness = new Harness(bare, 'series', 0);
    for (let i = 0; i < 3; i++) harness.update([], 1, i);
    expect(harness.table.liveRows).toBe(1);
    expect(harness.table.values[harness.find([]) * bare.width]).toBe(3);
  });
});
