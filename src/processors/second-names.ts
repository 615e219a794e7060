// `naming: both`: Tempo's rows said once more under the collector's names. One row has the buckets of both; each name says its own.

import { doubleText } from '../bytes/index.ts';
import type { TenantSettings } from '../config/index.ts';
import type { Part, PartSpec, SecondNames, SecondPart } from '../registry/index.ts';
import { histogramSpec } from './histogram-spec.ts';
import { COLLECTOR_INSTANCE, otelConstantLabels, otelMetricName, SPAN_SCOPE } from './otel-names.ts';

/** Units of the collector's durations in a second. */
function perSecond({ otel }: TenantSettings): number {
  return otel.spanMetrics.unit === 'ms' ? 1000 : 1;
}

function inSeconds(settings: TenantSettings): number[] {
  return settings.otel.spanMetrics.buckets.map((bound) => bound / perSecond(settings));
}

/** A histogram with the bounds of both, of which the first name says its own. */
export function sharedHistogram(settings: TenantSettings, metric: string, own: readonly number[]): PartSpec {
  const finite = own.filter((bound) => bound !== Number.POSITIVE_INFINITY);
  const bounds = [...new Set([...finite, ...inSeconds(settings)])].sort((a, b) => a - b);
  const spec = histogramSpec(settings, metric, bounds);
  if (spec.kind !== 'histogram') return spec;
  const said = [...new Set(finite)].sort((a, b) => a - b).map((bound) => bounds.indexOf(bound));
  return { ...spec, said };
}

/**
 * @param labels the collector's name for each label of the table
 * @param metricOf the collector's metric for a part; undefined: it has none
 */
export function secondNames(
  tenant: string,
  settings: TenantSettings,
  parts: readonly Part[],
  labels: string[],
  metricOf: (part: Part) => 'calls' | 'duration' | undefined,
): SecondNames {
  return {
    parts: parts.map((part): SecondPart | null => {
      const metric = metricOf(part);
      if (metric === undefined) return null;
      const named = {
        metric: otelMetricName(settings.otel, metric),
        factor: metric === 'calls' ? 1 : perSecond(settings),
      };
      if (part.kind !== 'histogram') return named;
      const { buckets } = settings.otel.spanMetrics;
      const indexes = inSeconds(settings).map((bound) => part.bounds.indexOf(bound));
      return { ...named, buckets: buckets.map((bound, i) => ({ bound: indexes[i]!, le: doubleText(bound) })) };
    }),
    labels: unique(labels),
    constantLabels: otelConstantLabels(tenant, settings, SPAN_SCOPE),
    instanceLabel: COLLECTOR_INSTANCE,
  };
}

/** Two labels must not become one: two rows would be one series. */
function unique(labels: readonly string[]): string[] {
  const taken = new Set<string>();
  return labels.map((label) => {
    let name = label;
    for (let n = 2; taken.has(name); n++) name = `${label}_${n}`;
    taken.add(name);
    return name;
  });
}
