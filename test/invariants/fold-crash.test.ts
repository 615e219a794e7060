// A fold that stopped after any boundary and was loaded again from what it had said goes on as if it had never stopped: every later
// boundary says the same, to the last bit and in the same order. What recovery, hand-over and replay rest on.

import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { TenantSettings } from '../../src/config/index.ts';
import type { Section } from '../../src/registry/index.ts';
import type { Request } from '../fold/model.ts';
import { settingsWith } from '../fold/settings.ts';
import { plainSpan, requestBytes } from '../fold/spans.ts';
import { type Below, choices } from '../otlp/noisy-encoder.ts';
import { type Boundary, newFold, type Op, ORIGIN_MS, run, script, scriptOf } from './fold-script.ts';
import { randomSequence } from './fold-settings.ts';
import { PLAIN_POOLS, RICH_POOLS } from './fold-spans.ts';

/** Settings in force before op `end`, for tenants that come later. */
function settingsAt(first: TenantSettings, ops: readonly Op<Request>[], end: number): TenantSettings {
  const last = ops.slice(0, end).findLast((op) => op.kind === 'configure');
  return last?.kind === 'configure' ? last.settings : first;
}

function collectsIn(ops: readonly Op<Request>[]): number[] {
  return ops.flatMap((op, i) => (op.kind === 'collect' ? [i] : []));
}

/**
 * Everything that the rest of the script says after a crash behind boundary k, with the state loaded from `base` (everything at that
 * boundary, or nothing) and the sections after it.
 */
function afterCrash(
  first: TenantSettings,
  ops: readonly Op<Request>[],
  told: readonly Boundary[],
  k: number,
  base: number,
): Boundary[] {
  const at = collectsIn(ops)[k]! + 1;
  const fold = newFold(settingsAt(first, ops, at));
  const load = (sections: readonly Section[], tMs: number) => {
    for (const section of structuredClone(sections)) fold.load(section, tMs);
  };
  if (base >= 0) load(told[base]!.everything, told[base]!.tMs);
  for (const { sections, tMs } of told.slice(base + 1, k + 1)) load(sections, tMs);
  fold.loaded();
  // As a shard does before its first tick: where nothing was said, nothing that was loaded told the time.
  fold.advance(told[k]!.tMs);
  return run(fold, ops.slice(at));
}

function sectionsOf(boundaries: readonly Boundary[]): Section[][] {
  return boundaries.map(({ sections }) => sections);
}

/** Crashes after every boundary, loading all sections, and a base with the sections after it. */
function crashEverywhere(first: TenantSettings, ops: readonly Op<Request>[], below: Below, what: string): void {
  const told = run(newFold(first), ops, true);
  for (let k = 0; k < told.length - 1; k++) {
    const rest = sectionsOf(told.slice(k + 1));
    for (const base of [-1, below(k + 1), k]) {
      const where = `${what}: crash after boundary ${k}, base ${base}`;
      expect(sectionsOf(afterCrash(first, ops, told, k, base)), where).toEqual(rest);
    }
  }
}

interface Lives {
  from: number;
  count: number;
  boundaries: number;
  /** Settings change at one boundary in so many; 0 = never. */
  changeEvery?: number;
  names?: string[];
}

/** Lives of these seeds under the settings, or over changes between them. */
function crashThrough(
  settings: TenantSettings[],
  { from, count, boundaries, changeEvery = 0, names = PLAIN_POOLS.names }: Lives,
): void {
  for (let seed = from; seed < from + count; seed++) {
    const below = choices(seed);
    const { first, ops } = script(below, { tenants: ['a', 'b'], boundaries, settings, changeEvery, names });
    crashEverywhere(first, ops, below, `seed ${seed}`);
  }
}

const PLAIN = settingsWith({ processors: ['span-metrics', 'service-graphs'] });
const DROP_CLIENTS = [
  { exclude: { matchType: 'strict' as const, attributes: [{ key: 'span.http.method', value: 'GET' }] } },
];
const VARIANTS: [what: string, settings: TenantSettings][] = [
  ['default settings', PLAIN],
  [
    'dimensions, target info and host info',
    settingsWith({
      processors: ['span-metrics', 'service-graphs', 'service-graphs-connection-info', 'host-info'],
      spanMetrics: { dimensions: ['http.method', 'team'], enableTargetInfo: true },
      serviceGraphs: {
        dimensions: ['team', 'http.method'],
        enableClientServerPrefix: true,
        enableVirtualNodeLabel: true,
      },
    }),
  ],
  [
    'filters that drop most sides of edges',
    settingsWith({
      processors: ['service-graphs'],
      serviceGraphs: {
        filterPolicies: [{ exclude: { matchType: 'regex', attributes: [{ key: 'name', value: 'GET|query|x' }] } }],
        waitMs: 4_000,
      },
    }),
  ],
  [
    'filters that drop sides of edges',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      spanMetrics: { filterPolicies: DROP_CLIENTS },
      serviceGraphs: { filterPolicies: DROP_CLIENTS, maxItems: 4, waitMs: 5_000 },
    }),
  ],
  [
    'a limit on series',
    settingsWith({ processors: ['span-metrics', 'service-graphs'], maxActiveSeries: 120, staleDurationMs: 60_000 }),
  ],
  [
    'a limit on entities',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      limiterType: 'entity',
      maxActiveEntities: 6,
      staleDurationMs: 30_000,
    }),
  ],
  [
    'rows that end at once and come back',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      staleDurationMs: 1_000,
      spanMetrics: { enableTargetInfo: true },
    }),
  ],
  [
    'weights and messaging latency',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      spanMetrics: { spanMultiplierKey: 'ratio', enableTracestateSpanMultiplier: true },
      serviceGraphs: { spanMultiplierKey: 'ratio', enableMessagingSystemLatencyHistogram: true },
    }),
  ],
];

/** Names that cluster, ones whose search dead-ends behind a wildcard, ones too short to be looked at. */
const TELLING_NAMES = [
  'GET /users/#',
  'GET /users/#/orders/#',
  'GET /users/me/#',
  'GET /users/me/cart',
  'job a#b#',
  'x',
  '',
];
const LABEL_VARIANTS: [what: string, settings: TenantSettings][] = [
  [
    'span names that are sanitized',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      spanNameSanitization: 'enabled',
      staleDurationMs: 60_000,
    }),
  ],
  ['span names that are only looked at', settingsWith({ ...PLAIN, spanNameSanitization: 'dry_run' })],
  [
    'a limit of values per label',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      maxCardinalityPerLabel: 3,
      staleDurationMs: 600_000,
      spanMetrics: { dimensions: ['http.method', 'peer.service'], enableTargetInfo: true },
      serviceGraphs: { dimensions: ['http.method'] },
    }),
  ],
  [
    'both, and a limit on series',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      spanNameSanitization: 'enabled',
      maxCardinalityPerLabel: 4,
      maxActiveSeries: 200,
      staleDurationMs: 30_000,
    }),
  ],
];

/** Few label sets, so that many durations meet in one histogram. */
const BY_SERVICE = { service: true, spanName: false, spanKind: false, statusCode: false, statusMessage: false };
const NATIVE_VARIANTS: [what: string, settings: TenantSettings][] = [
  [
    'native histograms',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      histogramMode: 'native',
      spanMetrics: { spanMultiplierKey: 'ratio' },
      serviceGraphs: { spanMultiplierKey: 'ratio', enableMessagingSystemLatencyHistogram: true },
    }),
  ],
  [
    'native histograms beside classic ones, of few buckets, that are reset often',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      histogramMode: 'both',
      nativeBucketFactor: 1.01,
      nativeMaxBuckets: 3,
      nativeMinResetMs: 50_000,
      spanMetrics: { enableTracestateSpanMultiplier: true, intrinsicDimensions: BY_SERVICE },
    }),
  ],
  [
    'native histograms that are reset at once, under a limit on series',
    settingsWith({
      processors: ['span-metrics', 'service-graphs'],
      histogramMode: 'native',
      nativeMaxBuckets: 2,
      nativeMinResetMs: 20_000,
      maxActiveSeries: 18,
      spanMetrics: { intrinsicDimensions: BY_SERVICE },
    }),
  ],
];

describe('a fold that was loaded after a crash says the same as one that never stopped', () => {
  test.each(VARIANTS)('with %s', (_, settings) => {
    crashThrough([settings], { from: 0, count: 6, boundaries: 9 });
  });

  test.each(LABEL_VARIANTS)('with %s', (_, settings) => {
    crashThrough([settings], { from: 200, count: 8, boundaries: 12, names: TELLING_NAMES });
  });

  test.each(NATIVE_VARIANTS)('with %s', (_, settings) => {
    crashThrough([settings], { from: 400, count: 6, boundaries: 9 });
  });

  test('over changes of the kind of histogram', () => {
    const settings = [PLAIN, ...NATIVE_VARIANTS.map(([, one]) => one)];
    crashThrough(settings, { from: 500, count: 10, boundaries: 9, changeEvery: 2 });
  });

  test('over changes of what happens to labels', () => {
    const settings = [PLAIN, ...LABEL_VARIANTS.map(([, one]) => one)];
    crashThrough(settings, { from: 300, count: 20, boundaries: 9, changeEvery: 2, names: TELLING_NAMES });
  });

  test('over changes of settings', () => {
    const settings = VARIANTS.map(([, one]) => one);
    settings.push(
      settingsWith({ processors: ['service-graphs'] }),
      settingsWith({ processors: [] }),
      settingsWith({ processors: ['span-metrics-count'] }),
    );
    crashThrough(settings, { from: 100, count: 30, boundaries: 9, changeEvery: 2 });
  });

  test.each(['tempo', 'both', 'otel'] as const)('with any options and changes of them, naming %s', (naming) => {
    for (let seed = 600; seed < 610; seed++) {
      const below = choices(seed);
      const settings = randomSequence(below, 3, { naming });
      const options = { tenants: ['a', 'b'], boundaries: 9, settings, changeEvery: 3 };
      const { first, ops } = scriptOf(below, options, RICH_POOLS);
      crashEverywhere(first, ops, below, `seed ${seed}`);
    }
  });

  test('where symbols were renumbered before or after the crash', () => {
    // More distinct names than the slack, which then go stale: the sweep after that renumbers.
    const MANY = 66_000;
    const endNs = (tMs: number) => BigInt(tMs) * 1_000_000n;
    const push = (tMs: number, names: string[]): Op => {
      const spans = names.map((name) =>
        plainSpan({
          name,
          kind: 3,
          startNs: endNs(tMs) - 5n,
          endNs: endNs(tMs),
          id: 'aa',
          attributes: [['peer.service', `p-${name}`]],
        }),
      );
      const request = [{ resource: [['service.name', 'web']] as [string, string][], spans }];
      return {
        kind: 'push',
        tenant: 'a',
        nowMs: tMs,
        recordMs: tMs,
        request,
        bytes: requestBytes(request),
        skip: false,
      };
    };
    const settings = settingsWith({
      processors: ['span-metrics-count', 'service-graphs'],
      spanMetrics: { dimensions: ['peer.service'] },
      serviceGraphs: { waitMs: 3_600_000 },
    });
    const minute = (n: number) => ORIGIN_MS + n * 60_000;
    const boundary = (tMs: number): Op[] => [
      { kind: 'advance', tMs },
      { kind: 'collect', tMs },
    ];
    const ops: Op[] = [
      push(minute(1), ['early', 'keep']),
      ...boundary(minute(2)),
      push(
        minute(3),
        Array.from({ length: MANY }, (_, i) => `n${i}`),
      ),
      ...boundary(minute(4)),
      ...boundary(minute(25)),
      push(minute(26), ['keep', 'n5', 'late']),
      ...boundary(minute(27)),
      ...boundary(minute(200)),
      push(minute(201), ['keep', 'n6']),
      ...boundary(minute(202)),
    ];
    const told = run(newFold(settings), ops, true);
    for (let k = 0; k < told.length - 1; k++) {
      for (const base of [-1, k]) {
        const after = afterCrash(settings, ops, told, k, base);
        expect(sectionsOf(after), `crash after boundary ${k}, base ${base}`).toEqual(sectionsOf(told.slice(k + 1)));
      }
    }
  });

  test('notices it if a boundary was left out', () => {
    let noticed = 0;
    for (let seed = 0; seed < 4; seed++) {
      const { first, ops } = script(choices(seed), {
        tenants: ['a'],
        boundaries: 6,
        settings: [PLAIN],
        changeEvery: 0,
      });
      const told = run(newFold(first), ops, true);
      for (let left = 0; left < 4; left++) {
        const without = told.map((b, i) => (i === left ? { ...b, sections: b.sections.slice(0, 1) } : b));
        try {
          const after = sectionsOf(afterCrash(first, ops, without, 4, -1));
          if (!isDeepStrictEqual(after, sectionsOf(told.slice(5)))) noticed++;
        } catch {
          noticed++;
        }
      }
    }
    // Not all: a boundary may say nothing that matters later.
    expect(noticed).toBeGreaterThan(4);
  });
});
