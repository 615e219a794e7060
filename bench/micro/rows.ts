// The table of rows: one update (find, mark, five values, an exemplar) by how many label sets are hot, and the memory of a row.
//   node --conditions=source bench/micro/rows.ts

import { loadConfig, resolveTenant } from '../../src/config/index.ts';
import { makeSchema, Registry, type RowTable } from '../../src/registry/index.ts';
import { cost, type Measurement, print, shuffled } from './measure.ts';

const UPDATES = 500_000;
const LABELS = ['service', 'span_kind', 'span_name', 'status_code'];
const BOUNDS = Array.from({ length: 14 }, (_, i) => 0.002 * 2 ** i);
const SERIES_PER_ROW = 17 + 2;
const FIRST = 1_000_000;
const NOW_MS = 1_767_225_600_000;

function makeTable(rows: number): RowTable {
  const registry = new Registry(resolveTenant(loadConfig({ text: '' }).config, 'single-tenant'));
  const table = registry.table(
    makeSchema(
      'span-metrics',
      LABELS,
      [
        { kind: 'counter', metric: 'calls' },
        { kind: 'histogram', metric: 'latency', bounds: BOUNDS },
        { kind: 'counter', metric: 'size' },
      ],
      {},
      'traceID',
    ),
  );
  const names = Array.from({ length: 1_000 }, (_, i) => registry.symbols.internText(`operation-${i}`));
  const services = Array.from({ length: Math.ceil(rows / 1_000) }, (_, i) =>
    registry.symbols.internText(`service-${i}`),
  );
  for (let i = 0; i < rows; i++) {
    setKey(table, services[Math.floor(i / 1_000)]!, names[i % 1_000]!);
    table.admit(NOW_MS, table.fullMask);
  }
  return table;
}

function setKey(table: RowTable, service: number, name: number): void {
  table.key[0] = service;
  table.key[1] = 1;
  table.key[2] = name;
  table.key[3] = 1;
}

function updates(rows: number): Measurement[] {
  const rssBefore = process.memoryUsage().rss;
  const table = makeTable(rows);
  const perRow = Math.round(table.sizeBytes / rows);
  const rssPerRow = Math.round((process.memoryUsage().rss - rssBefore) / rows);
  const keys = table.keys.slice();
  const order = shuffled(rows, UPDATES);
  const id = new DataView(new ArrayBuffer(16));
  id.setInt32(0, 1);
  const seconds = Float64Array.from({ length: 1_024 }, (_, i) => (i % 64) / 50);
  const measured = cost(`update one of ${rows} rows`, UPDATES, () => {
    const { key, exemplars } = table;
    for (let i = 0; i < UPDATES; i++) {
      const from = order[i]! * LABELS.length;
      for (let k = 0; k < LABELS.length; k++) key[k] = keys[from + k]!;
      const row = table.find();
      table.touch(row, NOW_MS);
      const at = row * table.schema.width;
      const { values } = table;
      const bucket = order[i]! % 3;
      values[at] = values[at]! + 1;
      values[at + 1] = values[at + 1]! + 0.5;
      values[at + 2 + bucket] = values[at + 2 + bucket]! + 1;
      values[at + 17] = values[at + 17]! + 500;
      exemplars.setId(row, bucket, seconds, i & 1023, id, 0);
    }
  });
  return [
    { ...measured, what: `${measured.what} (${(rows * SERIES_PER_ROW).toLocaleString('en-US')} series)` },
    { what: `memory of a row, of ${rows}, without its strings`, value: perRow, unit: 'B' },
    // Only the first table's is true: later ones get memory that the process has already.
    ...(rows === FIRST ? [{ what: `growth of RSS for a row, of ${rows}`, value: rssPerRow, unit: 'B' }] : []),
  ];
}

print([FIRST, 100_000, 6_000, 60].flatMap(updates));
