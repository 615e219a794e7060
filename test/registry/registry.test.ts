// A tenant's tables together: schemas that change, limits over all tables, zero samples of what comes back, symbols that are
// renumbered.

import { describe, expect, test } from 'vitest';
import {
  type ImageRow,
  makeSchema,
  Registry,
  type RegistryOptions,
  type RowsColumns,
  type RowTable,
  type Section,
  seriesLabels,
  type TableImage,
  TenantImage,
  zeroTimeMs,
} from '../../src/registry/index.ts';

const OPTIONS: RegistryOptions = {
  limiterType: 'series',
  maxActiveSeries: 0,
  maxActiveEntities: 0,
  collectionIntervalMs: 15_000,
  staleDurationMs: 5_000,
  spanNameSanitization: '',
  maxCardinalityPerLabel: 0,
};

function schemaOf(labels: string[], name = 't', bounds = [1]) {
  return makeSchema(
    name,
    labels,
    [
      { kind: 'counter', metric: `${name}_calls` },
      { kind: 'histogram', metric: `${name}_seconds`, bounds },
    ],
    {},
    'traceID',
  );
}

function update(registry: Registry, table: RowTable, labels: readonly string[], nowMs: number, count = 1): void {
  labels.forEach((label, i) => {
    table.key[i] = registry.symbols.internText(label);
  });
  let row = table.find();
  if (row < 0) row = table.admit(nowMs, table.fullMask);
  else if (table.admitted[row] !== table.fullMask) table.settle(row, table.fullMask, nowMs);
  table.touch(row, nowMs);
  const part = table.schema.parts[0]!;
  if (part.kind === 'counter') table.add(row, part, count);
}

function collect(registry: Registry, tMs: number): Section[] {
  return structuredClone([...registry.retiredChanges(tMs), ...registry.changes(tMs)]);
}

function columnsOf(section: Section): RowsColumns {
  return section.columns as unknown as RowsColumns;
}

const MINUTE = 1_767_225_600_000;

describe('a zero sample', () => {
  test('lies at :59 of the minute before', () => {
    expect(zeroTimeMs(MINUTE)).toBe(MINUTE - 1_000);
    expect(zeroTimeMs(MINUTE + 59_999)).toBe(MINUTE - 1_000);
    expect(zeroTimeMs(MINUTE + 60_000)).toBe(MINUTE + 59_000);
  });

  test('of a row that ended and came back in one interval lies after its last sample', () => {
    const registry = new Registry(OPTIONS);
    const table = registry.table(schemaOf(['a']));
    update(registry, table, ['x'], MINUTE + 1);
    const [first] = collect(registry, MINUTE + 15_000);
    expect([...columnsOf(first!).zeroMs]).toEqual([MINUTE - 1_000]);
    table.sweep(MINUTE + 16_000);
    update(registry, table, ['x'], MINUTE + 17_000);
    update(registry, table, ['y'], MINUTE + 17_000);
    const [second] = collect(registry, MINUTE + 30_000);
    expect([...columnsOf(second!).zeroMs]).toEqual([MINUTE + 15_001, MINUTE - 1_000]);
  });

  test('of a row that comes back after its stale marker lies after the marker, for a minute', () => {
    for (const [backMs, zeroMs] of [
      [MINUTE + 45_000, MINUTE + 30_001],
      [MINUTE + 89_000, MINUTE + 59_000],
      [MINUTE + 300_000, MINUTE + 299_000 - 60_000],
    ] as const) {
      const registry = new Registry(OPTIONS);
      const table = registry.table(schemaOf(['a']));
      update(registry, table, ['x'], MINUTE + 1);
      collect(registry, MINUTE + 15_000);
      table.sweep(MINUTE + 20_000);
      collect(registry, MINUTE + 30_000);
      update(registry, table, ['x'], backMs);
      const [back] = collect(registry, backMs);
      expect([...columnsOf(back!).zeroMs]).toEqual([Math.max(zeroMs, zeroTimeMs(backMs))]);
    }
  });

  test('of a row that comes back in a table of another schema lies after the last sample too', () => {
    const registry = new Registry(OPTIONS);
    update(registry, registry.table(schemaOf(['a'])), ['x'], MINUTE + 1);
    collect(registry, MINUTE + 15_000);
    const wider = registry.table(schemaOf(['a', 'b']));
    update(registry, wider, ['x', ''], MINUTE + 16_000);
    update(registry, wider, ['x', 'new'], MINUTE + 16_000);
    const [, same] = collect(registry, MINUTE + 30_000);
    expect([...columnsOf(same!).zeroMs]).toEqual([MINUTE + 15_001, MINUTE - 1_000]);
    wider.sweep(MINUTE + 31_000);
    collect(registry, MINUTE + 45_000);
    update(registry, wider, ['x', ''], MINUTE + 50_000);
    const [again] = collect(registry, MINUTE + 59_000);
    expect([...columnsOf(again!).zeroMs]).toEqual([MINUTE + 45_001]);
  });
});

describe('a table of another schema', () => {
  test('replaces the one of its name: that one ends all its rows in the next boundary and gives its capacity back', () => {
    const registry = new Registry({ ...OPTIONS, maxActiveSeries: 10 });
    const table = registry.table(schemaOf(['a']));
    update(registry, table, ['x'], 1);
    update(registry, table, ['y'], 1);
    expect(registry.activeSeries).toBe(10);
    collect(registry, 15_000);
    const wider = registry.table(schemaOf(['a', 'b']));
    expect(registry.activeSeries).toBe(0);
    update(registry, wider, ['x', 'z'], 16_000);
    const sections = collect(registry, 30_000);
    expect(sections.map((s) => [...columnsOf(s).ended])).toEqual([[0, 1], []]);
    expect(sections.map((s) => [...columnsOf(s).bornIds])).toEqual([[], [0]]);
    expect(collect(registry, 45_000)).toHaveLength(1);
  });

  test('says nothing of one that no boundary knew', () => {
    const registry = new Registry(OPTIONS);
    update(registry, registry.table(schemaOf(['a'])), ['x'], 1);
    registry.table(schemaOf(['b']));
    expect(registry.retiredChanges(15_000)).toEqual([]);
  });

  test('is the same table where the schema is the same', () => {
    const registry = new Registry(OPTIONS);
    expect(registry.table(schemaOf(['a']))).toBe(registry.table(schemaOf(['a'])));
    expect(registry.table(schemaOf(['a'], 'u'))).not.toBe(registry.table(schemaOf(['a'])));
  });
});

describe('limits', () => {
  test('hold over all tables of a tenant', () => {
    const registry = new Registry({ ...OPTIONS, maxActiveSeries: 11 });
    const [t, u] = [registry.table(schemaOf(['a'])), registry.table(schemaOf(['a'], 'u'))];
    update(registry, t, ['x'], 1);
    update(registry, u, ['x'], 1);
    expect(registry.activeSeries).toBe(10);
    update(registry, u, ['y'], 1);
    // The counter fits, the histogram doesn't.
    expect(registry.activeSeries).toBe(11);
    expect(registry.limiter.counters.seriesLimited).toBe(4);
  });

  test('count a label set once over all tables where entities are limited', () => {
    const registry = new Registry({ ...OPTIONS, limiterType: 'entity', maxActiveEntities: 1 });
    const [t, u] = [registry.table(schemaOf(['a'])), registry.table(schemaOf(['a'], 'u'))];
    update(registry, t, ['x'], 1);
    update(registry, u, ['x'], 1);
    update(registry, u, ['y'], 1);
    expect(registry.limiter.activeEntities).toBe(1);
    expect(registry.limiter.counters.entitiesLimited).toBe(2);
    t.endAll();
    expect(registry.limiter.activeEntities).toBe(1);
    u.endAll();
    expect(registry.limiter.activeEntities).toBe(0);
  });

  test('of another type count what is active by the new rule at once', () => {
    const registry = new Registry(OPTIONS);
    const table = registry.table(schemaOf(['a']));
    for (const label of ['x', 'y', 'z']) update(registry, table, [label], 1);
    registry.configure({ ...OPTIONS, limiterType: 'entity', maxActiveEntities: 3 });
    expect([registry.activeSeries, registry.limiter.activeEntities]).toEqual([0, 3]);
    update(registry, table, ['refused'], 2);
    expect(registry.limiter.counters.entitiesLimited).toBe(2);
    registry.configure({ ...OPTIONS, maxActiveSeries: 12 });
    expect([registry.activeSeries, registry.limiter.activeEntities]).toEqual([15, 0]);
    table.endAll();
    expect(registry.activeSeries).toBe(0);
  });
});

describe('an image', () => {
  test('has the rows that ended at its boundary, also those whose label set came back', () => {
    const registry = new Registry(OPTIONS);
    const table = registry.table(schemaOf(['a']));
    const image = new TenantImage();
    const next = (tMs: number) => {
      image.nextBoundary();
      for (const section of collect(registry, tMs)) image.apply(section);
      const shown = image.tables.get('t')!;
      return {
        rows: [...shown.rows.values()].map((r) => `${r.labels} ${r.values[0]}`),
        ended: shown.ended.map((r) => String(r.labels)),
      };
    };
    update(registry, table, ['x'], 1);
    update(registry, table, ['y'], 1);
    expect(next(15_000)).toEqual({ rows: ['x 1', 'y 1'], ended: [] });
    table.sweep(10);
    update(registry, table, ['x'], 20_000, 5);
    expect(next(30_000)).toEqual({ rows: ['x 5'], ended: ['x', 'y'] });
    expect(next(45_000)).toEqual({ rows: ['x 5'], ended: [] });
    table.sweep(30_000);
    // Made and ended between two boundaries: nobody ever hears of it.
    update(registry, table, ['brief'], 31_000);
    table.sweep(31_001);
    expect(next(60_000)).toEqual({ rows: [], ended: ['x'] });
  });

  test('keeps zero samples and exemplars for one boundary', () => {
    const registry = new Registry(OPTIONS);
    const table = registry.table(schemaOf(['a']));
    const image = new TenantImage();
    update(registry, table, ['x'], 1);
    table.exemplars.set(0, 1, 2.5, Uint8Array.of(7), 0, 1);
    for (const section of collect(registry, MINUTE)) image.apply(section);
    const row = [...image.tables.get('t')!.rows.values()][0]!;
    expect(row).toMatchObject({
      unborn: 3,
      zeroMs: MINUTE - 1_000,
      exemplars: [{ bucket: 1, value: 2.5, traceId: Uint8Array.of(7) }],
    });
    image.nextBoundary();
    for (const section of collect(registry, MINUTE + 15_000)) image.apply(section);
    expect(row).toMatchObject({ unborn: 0, exemplars: [] });
  });

  test('of several boundaries at once still has the zero samples of the earlier ones', () => {
    const registry = new Registry(OPTIONS);
    const table = registry.table(schemaOf(['a']));
    const image = new TenantImage();
    update(registry, table, ['x'], 1);
    for (const section of collect(registry, MINUTE)) image.apply(section);
    update(registry, table, ['x'], 2);
    for (const section of collect(registry, MINUTE + 15_000)) image.apply(section);
    const row = [...image.tables.get('t')!.rows.values()][0]!;
    expect(row).toMatchObject({ unborn: 3, zeroMs: MINUTE - 1_000 });
    expect(row.values[0]).toBe(2);
  });

  test('shows the ended rows of a table that was replaced, once', () => {
    const registry = new Registry(OPTIONS);
    const image = new TenantImage();
    update(registry, registry.table(schemaOf(['a'])), ['x'], 1);
    for (const section of collect(registry, 15_000)) image.apply(section);
    update(registry, registry.table(schemaOf(['a', 'b'])), ['x', 'y'], 16_000);
    image.nextBoundary();
    for (const section of collect(registry, 30_000)) image.apply(section);
    expect(image.replaced.flatMap((t) => t.ended).map((r) => r.labels)).toEqual([['x']]);
    expect([...image.tables.get('t')!.rows.values()].map((r) => r.labels)).toEqual([['x', 'y']]);
    image.nextBoundary();
    expect(image.replaced).toEqual([]);
  });

  test('tells what ended apart from what goes on, series by series, also across schemas', () => {
    const registry = new Registry(OPTIONS);
    const image = new TenantImage();
    const next = (tMs: number) => {
      image.nextBoundary();
      for (const section of collect(registry, tMs)) image.apply(section);
      const ended = [...image.tables.values(), ...image.replaced].flatMap((t) =>
        t.ended.flatMap((row) => seriesTexts(t, row)),
      );
      const live = [...image.tables.values()].flatMap((t) =>
        [...t.rows.values()].flatMap((row) => seriesTexts(t, row)),
      );
      return ended.filter((text) => !live.includes(text)).sort();
    };
    const table = registry.table(schemaOf(['a']));
    for (const label of ['x', 'gone']) update(registry, table, [label], 1);
    expect(next(15_000)).toEqual([]);
    // Comes back in the same interval, but with its counter only.
    table.sweep(10);
    table.key[0] = registry.symbols.internText('x');
    table.touch(table.admit(16_000, 1), 16_000);
    expect(next(30_000)).toEqual([
      't_calls gone',
      't_seconds_bucket gone +Inf',
      't_seconds_bucket gone 1',
      't_seconds_bucket x +Inf',
      't_seconds_bucket x 1',
      't_seconds_count gone',
      't_seconds_count x',
      't_seconds_sum gone',
      't_seconds_sum x',
    ]);
    update(registry, registry.table(schemaOf(['a', 'b'])), ['x', ''], 31_000);
    expect(next(45_000)).toEqual([]);
  });
});

function seriesTexts(table: TableImage, row: ImageRow): string[] {
  return table.series
    .filter((spec) => row.admitted & (1 << spec.part))
    .map((spec) => {
      const labels = seriesLabels(table.schema, row.labels, row.overflow, spec, {});
      return [spec.name, labels.get('a'), labels.get('b'), labels.get('le')]
        .filter((text) => text !== undefined)
        .join(' ');
    });
}

describe('symbols', () => {
  test('that nothing refers to any more are dropped at a sweep, and holders of others learn their new numbers', () => {
    const registry = new Registry(OPTIONS);
    const table = registry.table(schemaOf(['a']));
    const held = registry.symbols.internText('held by an edge');
    let now = held;
    registry.symbolHolders.push({ renumber: (translate) => (now = translate(now)) });
    for (let i = 0; i < 66_000; i++) registry.symbols.internText(`filler ${i}`);
    update(registry, table, ['kept'], 10_000);
    const { generation } = registry;
    registry.sweep(10_000);
    expect(registry.generation).toBe(generation + 1);
    expect(registry.symbols.count).toBeLessThan(10);
    expect(Buffer.from(registry.symbols.bytes(now)).toString()).toBe('held by an edge');
    table.key[0] = registry.symbols.internText('kept');
    expect(table.find()).toBeGreaterThanOrEqual(0);
  });
});
