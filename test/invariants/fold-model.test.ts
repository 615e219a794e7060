// A fold gives what a plain model gives, and loses nothing on the way: every span is counted or has a reason, every edge is completed,
// expired, dropped or still waits. Random options: fold-options.test.ts.

import { describe, expect, test } from 'vitest';
import { TenantImage } from '../../src/registry/index.ts';
import { applyAll, imageOf, seriesOfImage } from '../fold/series.ts';
import { type Changes, settingsWith } from '../fold/settings.ts';
import { choices } from '../otlp/noisy-encoder.ts';
import { runBeside } from './fold-beside.ts';
import { newFold, type Op, ORIGIN_MS, script } from './fold-script.ts';
import { FOREVER_MS } from './fold-settings.ts';

function sorted(map: ReadonlyMap<string, number>): [string, number][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function scriptFor(seed: number, changes: Changes, boundaries = 12): { ops: Op[]; changes: Changes } {
  return {
    ...script(choices(seed), { tenants: ['t'], boundaries, settings: [settingsWith(changes)], changeEvery: 0 }),
    changes,
  };
}

describe('a fold', () => {
  test.each([
    ['default settings', [], [], 10_000],
    ['dimensions', ['http.method', 'team'], ['team', 'peer.service'], 10_000],
    ['room for few waiting edges', ['db.system'], [], 3],
  ] as const)('has the series and counters of a plain model, with %s', (_, dimensions, graphDimensions, maxItems) => {
    for (let seed = 0; seed < 15; seed++) {
      const changes: Changes = {
        processors: ['span-metrics', 'service-graphs'],
        spanMetrics: { dimensions: [...dimensions] },
        serviceGraphs: { dimensions: [...graphDimensions], maxItems },
      };
      const { lines, where } = runBeside(settingsWith(changes), scriptFor(seed, changes).ops);
      expect(lines, `seed ${seed} ${where}`).toEqual([]);
    }
  });

  test('is the same whether its spans come in one request or in many, and at one boundary or at many', () => {
    for (let seed = 0; seed < 10; seed++) {
      const changes: Changes = { processors: ['span-metrics', 'service-graphs'], staleDurationMs: FOREVER_MS };
      const { ops } = scriptFor(seed, changes);
      const many = newFold(settingsWith(changes));
      const once = newFold(settingsWith(changes));
      const image = new TenantImage();
      let lastMs = ORIGIN_MS;
      for (const op of ops) {
        if (op.kind === 'push')
          for (const fold of [many, once]) fold.push('t', op.nowMs, op.recordMs, op.bytes, op.skip);
        if (op.kind === 'advance') for (const fold of [many, once]) fold.advance(op.tMs);
        if (op.kind === 'collect') {
          applyAll(image, many.collect(op.tMs));
          lastMs = op.tMs;
        }
      }
      expect(sorted(seriesOfImage(imageOf(once.collect(lastMs))))).toEqual(sorted(seriesOfImage(image)));
    }
  });

  test('stands where its image stands: sections one after the other give what everything gives', () => {
    for (let seed = 0; seed < 20; seed++) {
      const changes: Changes = {
        processors: ['span-metrics', 'service-graphs', 'host-info'],
        staleDurationMs: 20_000,
        maxActiveSeries: 200,
        spanMetrics: { enableTargetInfo: true },
      };
      const { ops } = scriptFor(seed, changes);
      const fold = newFold(settingsWith(changes));
      const image = new TenantImage();
      for (const op of ops) {
        if (op.kind === 'push') fold.push('t', op.nowMs, op.recordMs, op.bytes, op.skip);
        if (op.kind === 'advance') fold.advance(op.tMs);
        if (op.kind !== 'collect') continue;
        applyAll(image, fold.collect(op.tMs));
        expect(sorted(seriesOfImage(image))).toEqual(sorted(seriesOfImage(imageOf(fold.everything(op.tMs)))));
      }
    }
  });
});

describe('nothing is lost', () => {
  const FILTERED: Changes = {
    processors: ['span-metrics', 'service-graphs'],
    staleDurationMs: FOREVER_MS,
    spanMetrics: {
      filterPolicies: [{ exclude: { matchType: 'regex', attributes: [{ key: 'name', value: '^GET|^$' }] } }],
    },
    serviceGraphs: {
      maxItems: 5,
      filterPolicies: [{ exclude: { matchType: 'strict', attributes: [{ key: 'span.http.method', value: 'GET' }] } }],
    },
  };

  /** Spans that a run of the ops leaves, by what became of them. */
  function runCounted(seed: number, changes: Changes) {
    const { ops } = scriptFor(seed, changes);
    const settings = settingsWith(changes);
    const fold = newFold(settings);
    let inMetrics = 0;
    let sides = 0;
    let lastMs = ORIGIN_MS;
    for (const op of ops) {
      if (op.kind === 'advance') fold.advance(op.tMs);
      if (op.kind === 'collect') lastMs = op.tMs;
      if (op.kind !== 'push') continue;
      fold.push('t', op.nowMs, op.recordMs, op.bytes, op.skip);
      if (op.skip) continue;
      for (const { resource, spans } of op.request) {
        inMetrics += spans.length;
        const hasService = resource.some(([key]) => key === 'service.name');
        sides += hasService
          ? spans.filter((span) => isInSlack(span.endNs, op.recordMs, settings.slackMs) && span.kind >= 2).length
          : 0;
      }
    }
    const image = imageOf(fold.collect(lastMs));
    return { tenant: fold.tenant('t'), series: seriesOfImage(image), inMetrics, sides };
  }

  function isInSlack(endNs: bigint, recordMs: number, slackMs: number): boolean {
    const ms = 1_000_000n;
    return endNs >= BigInt(recordMs - slackMs) * ms && endNs <= BigInt(recordMs + slackMs) * ms;
  }

  function total(series: ReadonlyMap<string, number>, name: string): number {
    return [...series].filter(([key]) => key.startsWith(`${name}[`)).reduce((sum, [, value]) => sum + value, 0);
  }

  test.each([
    ['filters', FILTERED],
    ['a limit on series', { ...FILTERED, maxActiveSeries: 60 }],
    ['a limit on entities', { ...FILTERED, limiterType: 'entity', maxActiveEntities: 3 }],
    ['short label values that break runes', { ...FILTERED, maxLabelValueLength: 3 }],
  ] as [string, Changes][])('spans in = counted + discarded by reason, with %s', (_, changes) => {
    for (let seed = 0; seed < 20; seed++) {
      const { tenant, series, inMetrics } = runCounted(seed, changes);
      const discarded = (key: string) => tenant.counters.discarded.get(key) ?? 0;
      expect(
        total(series, 'traces_spanmetrics_calls_total') +
          discarded('outside_metrics_ingestion_slack all') +
          discarded('span_metrics_filtered span-metrics') +
          discarded('invalid_utf8 span-metrics'),
      ).toBe(inMetrics);
      expect(total(series, 'traces_spanmetrics_latency_count')).toBe(total(series, 'traces_spanmetrics_calls_total'));
    }
  });

  test.each([
    ['filters and little room', FILTERED],
    ['no filters', { processors: ['service-graphs'], staleDurationMs: FOREVER_MS }],
    ['short label values that break runes', { ...FILTERED, maxLabelValueLength: 3 }],
  ] as [string, Changes][])('edges made = completed + expired + dropped + pending, with %s', (_, changes) => {
    for (let seed = 0; seed < 20; seed++) {
      const { tenant, series, sides } = runCounted(seed, changes);
      const { counters } = tenant;
      const discarded = (key: string) => counters.discarded.get(key) ?? 0;
      const expired = [...counters.expiredEdges.values()].reduce((a, b) => a + b, 0);
      const invalid = discarded('invalid_utf8 service-graphs');
      // An edge is dropped where its waiting half is let go; a span whose other side was dropped before makes none.
      expect(counters.completedEdges + invalid + expired + tenant.pendingEdges).toBeLessThanOrEqual(counters.edges);
      expect(
        counters.completedEdges + invalid + expired + tenant.pendingEdges + counters.droppedEdges,
      ).toBeGreaterThanOrEqual(counters.edges);
      if (changes.serviceGraphs === undefined) {
        expect(counters.completedEdges + expired + tenant.pendingEdges).toBe(counters.edges);
      }
      expect(total(series, 'traces_service_graph_request_total')).toBe(counters.completedEdges);
      // No side is counted twice: each made an edge, joined one, was filtered, had no room, or found its other side dropped.
      expect(
        counters.edges + counters.droppedSpans + discarded('service_graphs_filtered service-graphs'),
      ).toBeLessThanOrEqual(sides);
    }
  });

  test('bytes that can not be decoded change nothing', () => {
    for (let seed = 0; seed < 40; seed++) {
      const below = choices(seed);
      const { ops } = scriptFor(seed, FILTERED, 3);
      const pushes = ops.filter((op) => op.kind === 'push');
      const fold = newFold(settingsWith(FILTERED));
      for (const op of pushes) fold.push('t', op.nowMs, op.recordMs, op.bytes, op.skip);
      const tenant = fold.tenant('t');
      const state = () =>
        structuredClone({
          counters: { ...tenant.counters },
          pending: tenant.pendingEdges,
          everything: fold.everything(ORIGIN_MS),
          limiter: tenant.registry.limiter.counters,
        });
      const before = state();
      for (const op of pushes) {
        if (op.bytes.length < 2) continue;
        const damaged = below(2) === 0 ? op.bytes.slice(0, op.bytes.length - 1) : new Uint8Array([...op.bytes, 255]);
        expect(() => fold.push('t', op.nowMs, op.recordMs, damaged, false)).toThrow(
          expect.objectContaining({ name: 'DecodeError' }),
        );
      }
      const noise = Uint8Array.from({ length: 300 }, () => below(256) | 128);
      expect(() => fold.push('t', ORIGIN_MS, ORIGIN_MS, noise, false)).toThrow(
        expect.objectContaining({ name: 'DecodeError' }),
      );
      expect(state()).toEqual(before);
    }
  });
});
