// The fold of all tenants: who is made when, what is said of whom, slack, the skip flag, time that leaps.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fold } from '../../src/fold/index.ts';
import { imageOf, seriesOfImage } from './series.ts';
import { type Changes, settingsWith } from './settings.ts';
import { plainSpan, requestBytes } from './spans.ts';

const T = Date.UTC(2026, 0, 1);
const YEAR_MS = 365 * 86_400_000;

function foldWith(changes: Changes): Fold {
  const settings = settingsWith(changes);
  return new Fold({ settingsOf: () => settings, originMs: T });
}

function oneSpan(endMs: number, more = {}): Uint8Array {
  const endNs = BigInt(endMs) * 1_000_000n;
  return requestBytes([
    { resource: [['service.name', 'web']], spans: [plainSpan({ startNs: endNs - 1_000n, endNs, ...more })] },
  ]);
}

const CALLS = { processors: ['span-metrics-count' as const] };

describe('a fold', () => {
  test('says tenants in the order of their names, each with its settings first and once', () => {
    const fold = foldWith(CALLS);
    for (const tenant of ['b', 'a', 'c']) fold.push(tenant, T, T, oneSpan(T), false);
    expect(fold.collect(T + 15_000).map(({ name, meta }) => [name, meta['tenant']])).toEqual([
      ['a/settings', 'a'],
      ['a/rows/span-metrics', 'a'],
      ['b/settings', 'b'],
      ['b/rows/span-metrics', 'b'],
      ['c/settings', 'c'],
      ['c/rows/span-metrics', 'c'],
    ]);
    expect(fold.collect(T + 30_000).map(({ name }) => name)).toEqual([
      'a/rows/span-metrics',
      'b/rows/span-metrics',
      'c/rows/span-metrics',
    ]);
  });

  test('can be loaded where a tenant changed its settings before its first boundary', () => {
    const fold = foldWith(CALLS);
    fold.push('t', T, T, oneSpan(T), false);
    const wider = settingsWith({ ...CALLS, spanMetrics: { dimensions: ['team'] } });
    fold.configure(() => wider);
    fold.push('t', T, T, oneSpan(T), false);
    const sections = structuredClone(fold.collect(T + 15_000));
    const loaded = new Fold({ settingsOf: () => wider, originMs: T });
    for (const section of sections) loaded.load(section, T + 15_000);
    loaded.loaded();
    expect(loaded.everything(T + 15_000)).toEqual(fold.everything(T + 15_000));
  });

  test('keeps one tenant from another', () => {
    const fold = foldWith(CALLS);
    fold.push('a', T, T, oneSpan(T), false);
    fold.push('b', T, T, oneSpan(T), false);
    fold.push('b', T, T, oneSpan(T), false);
    const calls = (tenant: string) =>
      [...seriesOfImage(imageOf(fold.everything(T).filter((s) => s.meta['tenant'] === tenant))).values()].reduce(
        (x, y) => x + y,
        0,
      );
    expect([calls('a'), calls('b')]).toEqual([1, 2]);
  });

  test('has work only while rows live or edges wait', () => {
    const fold = foldWith({ processors: ['span-metrics-count', 'service-graphs'], staleDurationMs: 60_000 });
    expect(fold.hasWork).toBe(false);
    fold.push('t', T, T, oneSpan(T - 60_000), false);
    expect(fold.hasWork).toBe(false);
    fold.push('t', T, T, oneSpan(T, { kind: 3 }), false);
    expect(fold.hasWork).toBe(true);
    fold.advance(T + 600_000);
    expect(fold.hasWork).toBe(false);
  });

  test('leaps over fifty years as over an hour, and ends what went stale on the way', () => {
    const fold = foldWith({ processors: ['span-metrics', 'service-graphs'] });
    fold.push('t', T, T, oneSpan(T, { kind: 3, attributes: [['peer.service', 'db']] }), false);
    fold.advance(T + 50 * YEAR_MS);
    const { counters, pendingEdges } = fold.tenant('t');
    expect([counters.completedEdges, pendingEdges, fold.hasWork]).toEqual([1, 0, false]);
  });

  test('ends a row at the sweep after its stale duration, not at it', () => {
    // Sweeps come every 5 minutes from the origin on; the row was updated at 0 and may be 15 minutes old.
    const fold = foldWith(CALLS);
    fold.push('t', T, T, oneSpan(T), false);
    fold.advance(T + 900_000);
    expect(fold.hasWork).toBe(true);
    fold.advance(T + 1_200_000);
    expect(fold.hasWork).toBe(false);
  });
});

describe('the slack', () => {
  test('takes a span whose end is exactly at either edge, and none beyond', () => {
    fc.assert(
      fc.property(fc.constantFrom(-1n, 1n), fc.bigInt(-3n, 3n), fc.nat(2 ** 31), (side, offNs, recordOffMs) => {
        const recordMs = T + recordOffMs;
        const fold = foldWith(CALLS);
        const edgeNs = BigInt(recordMs) * 1_000_000n + side * 30_000_000_000n;
        const endNs = edgeNs + offNs;
        const bytes = requestBytes([{ resource: [], spans: [plainSpan({ endNs })] }]);
        fold.push('t', recordMs, recordMs, bytes, false);
        const isOutside = side * offNs > 0n;
        expect(fold.tenant('t').counters.discarded.get('outside_metrics_ingestion_slack all') ?? 0).toBe(
          isOutside ? 1 : 0,
        );
        expect(fold.hasWork).toBe(!isOutside);
      }),
      { numRuns: 200 },
    );
  });

  test('is measured from the time of the record, not from the time of processing', () => {
    const fold = foldWith(CALLS);
    fold.push('t', T + 3_600_000, T, oneSpan(T), false);
    expect(fold.hasWork).toBe(true);
    fold.push('u', T, T + 3_600_000, oneSpan(T), false);
    expect(fold.tenant('u').registry.liveRows).toBe(0);
  });

  test('before 1970 and with an end of 0 does not fail', () => {
    const fold = foldWith(CALLS);
    fold.push('t', 10, 10, oneSpan(0, { startNs: 0n, endNs: 0n }), false);
    expect(fold.tenant('t').registry.liveRows).toBe(1);
    fold.push('t', T, T, oneSpan(0, { startNs: 0n, endNs: 0n }), false);
    expect(fold.tenant('t').counters.discarded.get('outside_metrics_ingestion_slack all')).toBe(1);
  });
});

describe('a request that asks for no metrics', () => {
  test('is counted as received and makes none', () => {
    const fold = foldWith({ processors: ['span-metrics', 'service-graphs'] });
    fold.push('t', T, T, oneSpan(T), true);
    const { counters, registry } = fold.tenant('t');
    expect(registry.liveRows).toBe(0);
    expect([counters.spansReceived, counters.skippedProcessorPushes]).toEqual([1, 2]);
    expect(counters.bytesReceived).toBeGreaterThan(0);
  });
});
