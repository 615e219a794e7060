// What a boundary stops the fold for: taking away what changed, where every row did and has exemplars in three buckets, and where
// rows have native histograms besides.
//   node --conditions=source bench/micro/boundary.ts

import { loadConfig, resolveTenant } from '../../src/config/index.ts';
import { hasNative, makeSchema, type PartSpec, Registry, type RowTable } from '../../src/registry/index.ts';
import { type Measurement, print, ROUNDS } from './measure.ts';

const SERIES = 1_000_000;
const LABELS = ['service', 'span_kind', 'span_name', 'status_code'];
const BOUNDS = Array.from({ length: 14 }, (_, i) => 0.002 * 2 ** i);
const NATIVE = { schema: 3, maxBuckets: 100, minResetMs: 900_000 };
/** Buckets, sum and count of the latency, +Inf among them, and two counters. */
const CLASSIC_SERIES = BOUNDS.length + 5;
const SECONDS = Float64Array.of(0.003, 0.03, 0.3);
const START_MS = 1_767_225_600_000;
const INTERVAL_MS = 15_000;

function makeTable(registry: Registry, rows: number, latency: PartSpec): RowTable {
  const counter = (metric: string): PartSpec => ({ kind: 'counter', metric });
  const specs = [counter('calls'), latency, counter('size')];
  const table = registry.table(makeSchema('span-metrics', LABELS, specs, {}, 'traceID'));
  for (let row = 0; row < rows; row++) {
    table.key[0] = registry.symbols.internText(`service-${Math.floor(row / 1_000)}`);
    table.key[2] = registry.symbols.internText(`operation-${row % 1_000}`);
    table.admit(START_MS, table.fullMask);
  }
  return table;
}

/** Three observations in each row, with exemplars. */
function observe(table: RowTable, nowMs: number): void {
  const id = new DataView(new ArrayBuffer(16));
  const part = table.schema.parts[1]!;
  for (let row = 0; row < table.highWater; row++) {
    table.touch(row, nowMs);
    for (let i = 0; i < SECONDS.length; i++) {
      id.setInt32(0, row + i + 1);
      if (hasNative(part)) table.natives!.observe(row, part, 3 * i, SECONDS, i, 1, nowMs);
      table.exemplars.setId(row, 3 * i, SECONDS, i, id, 0);
    }
  }
}

/** Wall clock, as it is a wait. */
function boundary(what: string, rows: number, latency: PartSpec): Measurement[] {
  const registry = new Registry(resolveTenant(loadConfig({ text: '' }).config, 'single-tenant'));
  const table = makeTable(registry, rows, latency);
  const ms: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const tMs = START_MS + round * INTERVAL_MS;
    observe(table, tMs);
    const before = performance.now();
    registry.changes(tMs);
    ms.push(performance.now() - before);
  }
  // At the first one every row is new: that happens once.
  const [first, ...later] = ms;
  later.sort((a, b) => a - b);
  const measurement = (which: string, value: number) => ({
    what: `${what}, ${which}`,
    value: round(value),
    unit: 'ms',
  });
  return [
    measurement('best', later[0]!),
    measurement('median', later[later.length >> 1]!),
    measurement('the first, where every row is new', first!),
  ];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

const latency = { kind: 'histogram', metric: 'latency', bounds: BOUNDS } as const;
const rows = Math.ceil(SERIES / CLASSIC_SERIES);
const count = (value: number) => value.toLocaleString('en-US');
print([
  ...boundary(`boundary of ${count(SERIES)} series`, rows, latency),
  ...boundary(`boundary of ${count(rows)} rows with native histograms`, rows, { ...latency, native: NATIVE }),
]);
