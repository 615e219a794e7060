// What one tenant gets: its block over the defaults over the static block. Pure; the same answer for the same configuration, so
// that it can be stored with an epoch.

import type { Config, GeneratorOverrides, GeneratorStatic, TenantBlock } from './config.ts';
import type { OtelSpanMetricsSettings, ProcessorName, RelabelRule, TenantSettings } from './tenant.ts';

/** What runs where no file names processors. */
const DEFAULT_PROCESSORS: readonly ProcessorName[] = ['span-metrics', 'service-graphs'];

export function resolveTenant(config: Config, tenant: string): TenantSettings {
  const { merge, defaults, tenants } = config.overrides;
  const forAll = { semconvAliases: config.semconv.aliases, writeRelabel: writeRelabel(config) };
  const own = tenantBlockOf(tenants, tenant);
  const fallback = defaults.metricsGenerator;
  if (own === undefined) {
    return settings(config.generator, fallback, {
      processors: fallback.processors ?? DEFAULT_PROCESSORS,
      falseUndoesPrefix: merge === 'deep',
      ...forAll,
    });
  }
  if (merge === 'deep') {
    const merged = withNativeDefaults(mergeOver(fallback, own.metricsGenerator), fallback);
    return settings(config.generator, merged, {
      processors: merged.processors ?? DEFAULT_PROCESSORS,
      falseUndoesPrefix: true,
      ...forAll,
    });
  }
  const replaced = withNativeDefaults(own.metricsGenerator, fallback);
  return settings(config.generator, replaced, {
    processors: replaced.processors ?? [],
    falseUndoesPrefix: false,
    ...forAll,
  });
}

function writeRelabel({ remoteWrite }: Config): Record<string, RelabelRule[]> | undefined {
  const endpoints = remoteWrite.endpoints.filter(({ writeRelabelConfigs }) => writeRelabelConfigs.length > 0);
  if (endpoints.length === 0) return undefined;
  return Object.fromEntries(endpoints.map(({ name, writeRelabelConfigs }) => [name, writeRelabelConfigs]));
}

/** A name no tenant can have: its settings are those of tenants without a block of their own. */
const NOBODY = '\u0000';

/** Of everybody: of each tenant with a block, and of all others. */
export function resolveTenants(config: Config): { defaults: TenantSettings; tenants: Record<string, TenantSettings> } {
  const named = Object.keys(config.overrides.tenants).filter((tenant) => tenant !== '*');
  return {
    defaults: resolveTenant(config, NOBODY),
    tenants: Object.fromEntries(named.map((tenant) => [tenant, resolveTenant(config, tenant)])),
  };
}

/** The tenant's own block, else the block for everybody else. */
export function tenantBlockOf(tenants: Readonly<Record<string, TenantBlock>>, tenant: string): TenantBlock | undefined {
  if (Object.hasOwn(tenants, tenant)) return tenants[tenant];
  return Object.hasOwn(tenants, '*') ? tenants['*'] : undefined;
}

/** Of the defaults, even a block that replaces them takes these where it has none of its own, or 0. */
export function withNativeDefaults(block: GeneratorOverrides, defaults: GeneratorOverrides): GeneratorOverrides {
  return {
    ...block,
    nativeHistogramBucketFactor: block.nativeHistogramBucketFactor || defaults.nativeHistogramBucketFactor,
    nativeHistogramMaxBucketNumber: block.nativeHistogramMaxBucketNumber || defaults.nativeHistogramMaxBucketNumber,
    nativeHistogramMinResetDuration: block.nativeHistogramMinResetDuration || defaults.nativeHistogramMinResetDuration,
    spanNameSanitization: block.spanNameSanitization || defaults.spanNameSanitization,
  };
}

/** Maps are merged key by key; lists and single values are taken whole from `over` where it has them. */
export function mergeOver<T extends object>(under: T, over: T): T {
  const merged = { ...under } as Record<string, unknown>;
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const held = merged[key];
    merged[key] = isPlainMap(held) && isPlainMap(value) ? mergeOver(held, value) : value;
  }
  return merged as T;
}

function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface SettingsRules {
  processors: readonly ProcessorName[];
  /** Whether `enable_client_server_prefix: false` undoes a static true (in Tempo it can't). */
  falseUndoesPrefix: boolean;
  /** `semconv.aliases`. */
  semconvAliases: boolean;
  /** Of each endpoint that has rules; absent: none has. */
  writeRelabel?: Record<string, RelabelRule[]> | undefined;
}

/**
 * The block holds the defaults of native histograms by now. Its values win over static ones; in both, 0 and an empty text mean "not set"
 * where they can't mean anything else.
 */
export function settings(fixed: GeneratorStatic, block: GeneratorOverrides, rules: SettingsRules): TenantSettings {
  const spans = fixed.processor.spanMetrics;
  const graphs = fixed.processor.serviceGraphs;
  const ownSpans = block.processor?.spanMetrics ?? {};
  const ownGraphs = block.processor?.serviceGraphs ?? {};
  const ownHosts = block.processor?.hostInfo ?? {};
  const graphDefaults = fixed.naming === 'otel' ? collectorGraphs(fixed) : graphs;
  const prefix = rules.falseUndoesPrefix
    ? ownGraphs.enableClientServerPrefix
    : ownGraphs.enableClientServerPrefix || undefined;
  return {
    processors: [...rules.processors],
    collectionIntervalMs: block.collectionInterval || fixed.registry.collectionInterval,
    disableCollection: block.disableCollection ?? false,
    slackMs: block.ingestionTimeRangeSlack || fixed.metricsIngestionTimeRangeSlack,
    staleDurationMs:
      (fixed.naming === 'otel' && fixed.otel.spanMetrics.seriesExpiration) || fixed.registry.staleDuration,
    maxLabelNameLength: fixed.registry.maxLabelNameLength,
    maxLabelValueLength: fixed.registry.maxLabelValueLength,
    externalLabels: { ...fixed.registry.externalLabels },
    injectTenantIdAs: fixed.registry.injectTenantIdAs,
    limiterType: fixed.limiterType,
    maxActiveSeries: block.maxActiveSeries ?? 0,
    maxActiveEntities: block.maxActiveEntities ?? 0,
    maxCardinalityPerLabel: block.maxCardinalityPerLabel ?? 0,
    histogramMode: block.generateNativeHistograms ?? 'classic',
    nativeBucketFactor: block.nativeHistogramBucketFactor!,
    nativeMaxBuckets: block.nativeHistogramMaxBucketNumber!,
    nativeMinResetMs: block.nativeHistogramMinResetDuration!,
    spanNameSanitization: block.spanNameSanitization ?? '',
    traceIdLabelName: block.traceIdLabelName || (fixed.naming === 'otel' ? 'trace_id' : 'traceID'),
    remoteWriteHeaders: { ...block.remoteWriteHeaders },
    ...(rules.writeRelabel ? { writeRelabel: rules.writeRelabel } : {}),
    spanMetrics: {
      histogramBuckets: [...(ownSpans.histogramBuckets ?? spans.histogramBuckets)],
      intrinsicDimensions: mergeOver(
        spans.intrinsicDimensions,
        (ownSpans.intrinsicDimensions ?? {}) as Partial<
          typeof spans.intrinsicDimensions
        > as typeof spans.intrinsicDimensions,
      ),
      dimensions: [...(ownSpans.dimensions ?? spans.dimensions)],
      dimensionMappings: [...(ownSpans.dimensionMappings ?? spans.dimensionMappings)],
      enableTargetInfo: ownSpans.enableTargetInfo ?? spans.enableTargetInfo,
      targetInfoExcludedDimensions: [...(ownSpans.targetInfoExcludedDimensions ?? spans.targetInfoExcludedDimensions)],
      enableInstanceLabel: ownSpans.enableInstanceLabel ?? spans.enableInstanceLabel,
      spanMultiplierKey: ownSpans.spanMultiplierKey || spans.spanMultiplierKey,
      enableTracestateSpanMultiplier: ownSpans.enableTracestateSpanMultiplier ?? spans.enableTracestateSpanMultiplier,
      filterPolicies: policies(ownSpans.filterPolicies ?? spans.filterPolicies),
    },
    serviceGraphs: {
      waitMs: graphDefaults.wait,
      maxItems: graphDefaults.maxItems,
      histogramBuckets: [...(ownGraphs.histogramBuckets ?? graphDefaults.histogramBuckets)],
      dimensions: [...(ownGraphs.dimensions ?? graphDefaults.dimensions)],
      peerAttributes: [...(ownGraphs.peerAttributes ?? graphDefaults.peerAttributes)],
      databaseNameAttributes: [...graphDefaults.databaseNameAttributes],
      enableClientServerPrefix: prefix ?? graphDefaults.enableClientServerPrefix,
      enableMessagingSystemLatencyHistogram:
        ownGraphs.enableMessagingSystemLatencyHistogram ?? graphs.enableMessagingSystemLatencyHistogram,
      enableVirtualNodeLabel: ownGraphs.enableVirtualNodeLabel ?? graphDefaults.enableVirtualNodeLabel,
      spanMultiplierKey: ownGraphs.spanMultiplierKey || graphs.spanMultiplierKey,
      enableTracestateSpanMultiplier: ownGraphs.enableTracestateSpanMultiplier ?? graphs.enableTracestateSpanMultiplier,
      filterPolicies: policies(ownGraphs.filterPolicies ?? graphs.filterPolicies),
    },
    hostInfo: {
      hostIdentifiers: [...(ownHosts.hostIdentifiers ?? fixed.processor.hostInfo.hostIdentifiers)],
      metricName: ownHosts.metricName || fixed.processor.hostInfo.metricName,
    },
    semconvAliases: rules.semconvAliases,
    naming: fixed.naming,
    otel: {
      suffixes: fixed.otel.translationStrategy === 'UnderscoreEscapingWithSuffixes',
      resourceLabels: !fixed.otel.featureGates.includes('connector.spanmetrics.excludeResourceMetrics'),
      otelStatusCode: fixed.otel.featureGates.includes('spanmetrics.statusCodeConvention.useOtelPrefix'),
      spanMetrics: collectorSpans(fixed, ownSpans.histogramBuckets),
    },
  };
}

/** A tenant's own buckets are in seconds. */
function collectorSpans(fixed: GeneratorStatic, ownBuckets: number[] | undefined): OtelSpanMetricsSettings {
  const { seriesExpiration: _, ...options } = fixed.otel.spanMetrics;
  const perSecond = options.unit === 's' ? 1 : 1000;
  const buckets = ownBuckets?.map((bound) => Number((bound * perSecond).toPrecision(15))) ?? options.buckets;
  return { ...options, buckets: [...buckets] };
}

/** What the collector's service_graph connector does where Tempo's keys are not set. */
function collectorGraphs(fixed: GeneratorStatic): GeneratorStatic['processor']['serviceGraphs'] {
  const { serviceGraph: options } = fixed.otel;
  return {
    ...fixed.processor.serviceGraphs,
    wait: options.store.ttl,
    maxItems: options.store.maxItems,
    histogramBuckets: options.latencyHistogramBuckets.map((ms) => ms / 1000),
    dimensions: options.dimensions,
    peerAttributes: options.virtualNodePeerAttributes,
    databaseNameAttributes: options.databaseNameAttributes,
    enableClientServerPrefix: true,
    enableVirtualNodeLabel: options.virtualNodeExtraLabel,
  };
}

type ParsedPolicies = GeneratorStatic['processor']['spanMetrics']['filterPolicies'];

/** Without keys that are undefined: settings are plain data that is compared and stored. */
function policies(parsed: ParsedPolicies): TenantSettings['spanMetrics']['filterPolicies'] {
  return parsed.map(({ include, includeAny, exclude }) => ({
    ...(include && { include }),
    ...(includeAny && { includeAny }),
    ...(exclude && { exclude }),
  }));
}
