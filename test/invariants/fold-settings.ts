// Random settings of a tenant: each option by itself, most of them as they are by default, so that any two may meet.

import type { FilterPolicy, PolicyMatch, ProcessorName, TenantSettings } from '../../src/config/index.ts';
import { dimensionName, POLICY_KEYS } from '../fold/model.ts';
import { settingsWith } from '../fold/settings.ts';
import type { Below } from '../otlp/noisy-encoder.ts';
import { type Draw, drawFrom } from './fold-draw.ts';
import { withBoth, withCollector } from './fold-namings.ts';
import { EDGE_KEYS, KEYS } from './fold-spans.ts';

export const FOREVER_MS = 10 ** 12;
const MINUTE_MS = 60_000;

/** The first one is usual. */
const PROCESSORS: ProcessorName[][] = [
  ['span-metrics', 'service-graphs', 'host-info'],
  ['span-metrics', 'service-graphs'],
  ['span-metrics', 'service-graphs', 'service-graphs-connection-info', 'host-info'],
  ['service-graphs', 'span-metrics-count'],
  ['span-metrics-latency', 'span-metrics-size', 'service-graphs-latency'],
  ['span-metrics', 'span-metrics-count', 'service-graphs-request'],
  ['service-graphs-connection-info', 'host-info'],
  ['span-metrics'],
  ['service-graphs'],
  [],
];

export interface Focus {
  naming?: TenantSettings['naming'];
  /** Few label sets and native histograms of few buckets, so that these fill up. */
  isNarrow?: boolean;
  /** The service graph alone, mostly with filters and dimensions. */
  isGraph?: boolean;
}

/** Settings that a run may change between: each but the first has some of the first one's options, and others. */
export function randomSequence(below: Below, count: number, focus: Focus = {}): TenantSettings[] {
  const all = Array.from({ length: count }, () => randomSettings(below, focus));
  return all.map((settings) => mixed(below, all[0]!, settings));
}

/** Options that make sense only together. */
const TOGETHER: (keyof TenantSettings)[] = [
  ...(['histogramMode', 'nativeBucketFactor', 'nativeMaxBuckets', 'nativeMinResetMs'] as const),
  ...(['otel', 'maxLabelNameLength', 'spanMetrics'] as const),
];

/** The limiter's type does not change, nor the length of values: edges that wait hold theirs as they were cut when they came. */
function mixed(below: Below, first: TenantSettings, other: TenantSettings): TenantSettings {
  if (first === other) return first;
  const either = <T extends object>(a: T, b: T): T => {
    const keys = Object.keys(a) as (keyof T)[];
    return Object.fromEntries(keys.map((key) => [key, (below(2) === 0 ? a : b)[key]])) as T;
  };
  const together = below(2) === 0 ? first : other;
  return {
    ...either(first, other),
    serviceGraphs: either(first.serviceGraphs, other.serviceGraphs),
    ...Object.fromEntries(TOGETHER.map((key) => [key, together[key]])),
    limiterType: first.limiterType,
    maxLabelValueLength: first.maxLabelValueLength,
  };
}

function randomSettings(below: Below, focus: Focus = {}): TenantSettings {
  const draw = drawFrom(below);
  const base = settingsWith();
  const settings: TenantSettings = {
    ...base,
    processors: focus.isGraph ? ['service-graphs'] : [...draw.mostly(PROCESSORS[0]!, ...PROCESSORS)],
    slackMs: draw.mostly(base.slackMs, 2_000, 0),
    staleDurationMs: draw.pick([FOREVER_MS, base.staleDurationMs, MINUTE_MS, 1_000]),
    maxLabelNameLength: draw.mostly(base.maxLabelNameLength, 0, 2, 5),
    maxLabelValueLength: draw.mostly(base.maxLabelValueLength, 0, 24, 3, 7),
    externalLabels: draw.mostly<Record<string, string>>({}, { cluster: 'x' }, { service: 's', client: 'c', team: 't' }),
    injectTenantIdAs: draw.mostly('', 'tenant', 'team'),
    traceIdLabelName: draw.mostly(base.traceIdLabelName, 'trace_id'),
    ...limits(draw),
    ...histograms(draw, base, focus),
    // Neither changes a label: one learns only, the other is never reached.
    spanNameSanitization: draw.mostly('', 'dry_run'),
    maxCardinalityPerLabel: draw.mostly(0, 1_000_000),
    spanMetrics: spanMetrics(draw, base, focus),
    serviceGraphs: serviceGraphs(draw, base, focus),
    hostInfo: {
      hostIdentifiers: draw.mostly(base.hostInfo.hostIdentifiers, ['host.id'], ['team', 'odd key', 'host.id']),
      metricName: draw.mostly(base.hostInfo.metricName, 'hosts'),
    },
    naming: focus.naming ?? 'tempo',
  };
  if (settings.naming === 'otel') return withCollector(draw, settings);
  return settings.naming === 'both' ? withBoth(draw, settings) : settings;
}

function limits(draw: Draw): Pick<TenantSettings, 'limiterType' | 'maxActiveSeries' | 'maxActiveEntities'> {
  return {
    limiterType: draw.pick(['series', 'entity']),
    maxActiveSeries: draw.mostly(0, 1, 16, 40, 150, 400),
    maxActiveEntities: draw.mostly(0, 1, 3, 10),
  };
}

function histograms(draw: Draw, base: TenantSettings, { isNarrow }: Focus): Partial<TenantSettings> {
  const factors = [1.01, 1.002, 2, 3, 70_000];
  if (isNarrow) {
    return {
      histogramMode: draw.pick(['native', 'both']),
      nativeBucketFactor: draw.mostly(base.nativeBucketFactor, ...factors),
      nativeMaxBuckets: draw.pick([1, 2, 5, 12]),
      nativeMinResetMs: draw.pick([400, 1_000, 2_500, 20_000]),
    };
  }
  return {
    histogramMode: draw.mostly('classic', 'native', 'both'),
    nativeBucketFactor: draw.mostly(base.nativeBucketFactor, ...factors),
    nativeMaxBuckets: draw.mostly(base.nativeMaxBuckets, 1, 2, 5),
    nativeMinResetMs: draw.mostly(base.nativeMinResetMs, 1_000, 20_000, 50_000),
  };
}

function spanMetrics(draw: Draw, base: TenantSettings, { isNarrow }: Focus): TenantSettings['spanMetrics'] {
  const on = (usual: boolean) => draw.mostly(usual && !isNarrow, !usual);
  const dimensions = draw.mostly<string[]>([], ...[1, 2, 3, 4].map(() => draw.some(KEYS, isNarrow ? 1 : 4)));
  return {
    ...base.spanMetrics,
    histogramBuckets: draw.mostly(base.spanMetrics.histogramBuckets, [0.1, 1], [2, 0.5, 0.5, 0.00001, 2500000]),
    intrinsicDimensions: {
      service: draw.mostly(true, false),
      spanName: on(true),
      spanKind: on(true),
      statusCode: on(true),
      statusMessage: on(false),
    },
    dimensions,
    dimensionMappings: draw.isOn() ? mappings(draw, dimensions) : [],
    enableTargetInfo: draw.isOn(),
    targetInfoExcludedDimensions: draw.mostly<string[]>([], draw.some(KEYS, 4), ['team', 'host.id']),
    enableInstanceLabel: draw.mostly(true, false),
    spanMultiplierKey: draw.mostly('', 'ratio', 'count'),
    enableTracestateSpanMultiplier: draw.isOn(),
    filterPolicies: draw.isOn() ? policies(draw) : [],
  };
}

/** No two labels of the same name: such a file does not load. */
function mappings(draw: Draw, dimensions: readonly string[]): TenantSettings['spanMetrics']['dimensionMappings'] {
  const taken = new Set(dimensions.map(dimensionName));
  return draw.some(['route', 'm 1', 'service', 'status.code', 'job', 'le', 'instance'], 3).flatMap((name) => {
    if (taken.has(dimensionName(name))) return [];
    taken.add(dimensionName(name));
    return [{ name, sourceLabels: [draw.pick(KEYS), ...draw.some(KEYS, 2)], join: draw.pick(['/', '', ' ü ']) }];
  });
}

function serviceGraphs(draw: Draw, base: TenantSettings, { isGraph }: Focus): TenantSettings['serviceGraphs'] {
  const { serviceGraphs: usual } = base;
  return {
    ...usual,
    waitMs: isGraph ? draw.pick([3_000, 6_000, 20_000, 40_000]) : draw.mostly(usual.waitMs, 500, 1_000, 3_000, 40_000),
    maxItems: draw.mostly(usual.maxItems, ...(isGraph ? [2, 4] : [0, 1, 3])),
    histogramBuckets: draw.mostly(usual.histogramBuckets, [0.1, 1], [2, 0.5, 0.5]),
    dimensions: isGraph ? draw.some(EDGE_KEYS, 4) : draw.mostly<string[]>([], draw.some(KEYS, 3), draw.some(KEYS, 3)),
    peerAttributes: draw.mostly(usual.peerAttributes, [], ['http.method'], ['team', 'peer.service']),
    databaseNameAttributes: draw.mostly(usual.databaseNameAttributes, [], ['team'], ['a..b', 'db.name']),
    enableClientServerPrefix: draw.isOn(),
    enableMessagingSystemLatencyHistogram: draw.isOn(),
    enableVirtualNodeLabel: draw.isOn(),
    spanMultiplierKey: draw.mostly('', 'ratio', 'count'),
    enableTracestateSpanMultiplier: draw.isOn(),
    filterPolicies: (isGraph === true) !== draw.isOn() ? policies(draw) : [],
  };
}

function policies(draw: Draw): FilterPolicy[] {
  return Array.from({ length: 1 + draw.below(2) }, () => {
    const policy: FilterPolicy = {};
    if (draw.isOn()) policy.include = match(draw);
    if (draw.isOn()) policy.includeAny = match(draw);
    if (draw.isOn() || Object.keys(policy).length === 0) policy.exclude = match(draw);
    return policy;
  });
}

function match(draw: Draw): PolicyMatch {
  const matchType = draw.pick(['strict', 'regex'] as const);
  const wanted = (key: string) => {
    const target = POLICY_KEYS[key]!;
    if (matchType === 'regex') return draw.pick(REGEXES);
    if (target === 'kind') return draw.pick(['SPAN_KIND_SERVER', 'SPAN_KIND_CLIENT', 'SPAN_KIND_UNSPECIFIED']);
    if (target === 'status') return draw.pick(['STATUS_CODE_ERROR', 'STATUS_CODE_UNSET']);
    return target === 'name' ? draw.pick(['GET /', '', 'query']) : draw.pick(STRICT_VALUES);
  };
  const keys = draw.some(Object.keys(POLICY_KEYS), 2);
  return { matchType, attributes: keys.map((key) => ({ key, value: wanted(key) })) };
}

const REGEXES = ['GET|a', '^$', '.*', 'SERVER$', '^STATUS_CODE_(ERROR|OK)', '^[a-z]+$', 'ü', 'query'];
const STRICT_VALUES = ['GET', 'a', '', 'true', 'web', 'red', 0, 7, -12, 2, 2.5, 0.5, true, false];
