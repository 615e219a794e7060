// Where the fold is known to do something else than the rules. Each line keeps the random runs out of one such place, and goes when the
// code is mended. What is left of this file is all that the properties do not hold the code to.

import type { TenantSettings } from '../../src/config/index.ts';
import type { SpanPools } from './fold-spans.ts';

/** Value lengths that cut: kinds, statuses, connection types and `user` are not cut, so none is shorter than they are. */
export const SHORT_VALUES = [24];

export function keptOut(settings: TenantSettings): TenantSettings {
  const { processors, spanMetrics, maxLabelNameLength, limiterType, naming } = settings;
  const isShort = maxLabelNameLength > 0 && maxLabelNameLength < 'grafana_host_id'.length;
  const isNamedAsIdentity = (name: string) => name === 'job' || name === 'instance';
  const { dimensions, callsDimensions, durationDimensions, eventsDimensions } = settings.otel.spanMetrics;
  const ofCollector = [...dimensions, ...callsDimensions, ...durationDimensions, ...(eventsDimensions ?? [])];
  const named = [
    ...spanMetrics.dimensions,
    ...[...spanMetrics.dimensionMappings, ...ofCollector].map(({ name }) => name),
  ];
  const hasInfo = naming === 'otel' ? settings.otel.resourceLabels : spanMetrics.enableTargetInfo;
  return {
    ...settings,
    // The labels of host info are not cut.
    processors: processors.filter((name) => !(isShort && name === 'host-info')),
    spanMetrics: {
      ...spanMetrics,
      // Where `job` or `instance` is cut, an empty one takes the place of a dimension.
      enableTargetInfo: spanMetrics.enableTargetInfo && !(isShort && named.some(isNamedAsIdentity)),
    },
    // The label set of an info metric and the same one of another metric count as two entities.
    limiterType: hasInfo ? 'series' : limiterType,
    otel: {
      ...settings.otel,
      spanMetrics: {
        ...settings.otel.spanMetrics,
        // A dimension of such a name tells groups apart where the resource's own label is off.
        cardinalityLimit: named.some(isNamedAsIdentity) ? 0 : settings.otel.spanMetrics.cardinalityLimit,
      },
    },
  };
}

/** Settings that a run changes between. */
export function keptTogether(all: readonly TenantSettings[]): TenantSettings[] {
  const { spanMultiplierKey, enableTracestateSpanMultiplier } = all[0]!.serviceGraphs;
  // Edges that wait keep their weight where weights are switched off.
  const weights = { spanMultiplierKey, enableTracestateSpanMultiplier };
  const limiterType = all.some((settings) => settings.limiterType === 'series') ? 'series' : 'entity';
  return all.map((settings) => ({
    ...settings,
    limiterType,
    serviceGraphs: { ...settings.serviceGraphs, ...weights },
  }));
}

export function poolsFor(pools: SpanPools, all: readonly TenantSettings[]): SpanPools {
  let { services, values } = pools;
  // With edges filtered: a half whose service or database has an empty name counts as both halves.
  if (all.some(({ serviceGraphs }) => serviceGraphs.filterPolicies.length > 0)) {
    const isNamed = (value: unknown) => value !== '' && value !== null && !(value instanceof Uint8Array);
    services = services.filter(isNamed);
    values = values.filter(isNamed);
  }
  // With the collector's names: a list as the service's name is spelt Tempo's way.
  if (all.some(({ naming }) => naming === 'otel')) services = services.filter((value) => !Array.isArray(value));
  return { ...pools, services, values };
}

/** With both names: the bucket of the first name may have an earlier exemplar than its last; native ones are said twice. */
export function comparesExemplars({ naming }: TenantSettings): boolean {
  // Which traces the collector's naming keeps is left to the tests of that.
  return naming === 'tempo';
}

/** The counter of filtered halves that were not remembered begins anew where filters do. */
export function comparesForgotten(changes: number): boolean {
  return changes === 0;
}
