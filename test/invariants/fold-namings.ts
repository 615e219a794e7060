// Random settings under the other namings.

import type { TenantSettings } from '../../src/config/index.ts';
import { INTRINSICS, labelName } from '../fold/model.ts';
import type { Draw } from './fold-draw.ts';
import { KEYS } from './fold-spans.ts';

/** Tempo's rows under the collector's names too. */
export function withBoth(draw: Draw, settings: TenantSettings): TenantSettings {
  const { otel, histogramMode, spanMetrics } = settings;
  const unit = histogramMode === 'classic' ? draw.pick(['ms', 's'] as const) : 's';
  const buckets =
    unit === 's' ? draw.pick([[0.002, 0.1, 1.5], [0.25]]) : draw.mostly(otel.spanMetrics.buckets, [2, 100, 1500]);
  // Not ones whose second name is that of an intrinsic: which of the two is renamed, is not fixed.
  const isFree = (name: string) => !INTRINSICS.includes(labelName(name)) || labelName(name) === 'service';
  return {
    ...settings,
    // The collector cuts no names.
    maxLabelNameLength: draw.mostly(1024, 0),
    spanMetrics: {
      ...spanMetrics,
      // A label set has one row, so a bound is said once.
      histogramBuckets: [...new Set(spanMetrics.histogramBuckets)],
      dimensions: spanMetrics.dimensions.filter(isFree),
      dimensionMappings: spanMetrics.dimensionMappings.filter(({ name }) => isFree(name)),
    },
    otel: {
      ...otel,
      suffixes: draw.mostly(true, false),
      spanMetrics: {
        ...otel.spanMetrics,
        namespace: draw.mostly(otel.spanMetrics.namespace, '', '9 ns'),
        unit,
        buckets,
      },
    },
  };
}

/** Rows as the collector makes them. */
export function withCollector(draw: Draw, settings: TenantSettings): TenantSettings {
  const { otel, serviceGraphs } = settings;
  const unit = draw.pick(['ms', 's'] as const);
  const dimensions = (most: number) => {
    const keys = new Set(
      draw.some(
        KEYS.filter((key) => key !== 'le'),
        most,
      ),
    );
    return [...keys].map((name) => ({ name, default: draw.mostly(null, 'none', '') }));
  };
  const builtIn = ['service.name', 'span.name', 'span.kind', 'status.code', 'collector.instance.id'];
  return {
    ...settings,
    processors: settings.processors.filter((name) => name !== 'span-metrics-size'),
    // The collector cuts no names, and spanmill not those that are its own: short ones are left to the other namings.
    maxLabelNameLength: draw.mostly(1024, 0),
    serviceGraphs: { ...serviceGraphs, enableClientServerPrefix: true },
    otel: {
      suffixes: draw.mostly(true, false),
      resourceLabels: draw.mostly(true, false),
      otelStatusCode: draw.mostly(false, true),
      spanMetrics: {
        ...otel.spanMetrics,
        namespace: draw.mostly(otel.spanMetrics.namespace, '', '9 ns'),
        dimensions: dimensions(3),
        callsDimensions: draw.isOn() ? dimensions(2) : [],
        durationDimensions: draw.isOn() ? dimensions(2) : [],
        eventsDimensions: draw.isOn() ? dimensions(2) : null,
        excludeDimensions: draw.mostly<string[]>([], draw.some(builtIn, 2)),
        histogram: draw.mostly('explicit', 'exponential', 'off'),
        unit,
        buckets: unit === 's' ? [0.002, 0.1, 1.5] : draw.mostly(otel.spanMetrics.buckets, [2, 100, 1500]),
        maxSize: draw.mostly(160, 1, 5),
        exemplars: draw.isOn(),
        keyAttributes: draw.mostly<string[]>([], ['service.name'], ['service.instance.id'], ['service.namespace']),
        cardinalityLimit: draw.mostly(0, 1, 3),
        samplingMethod: draw.isOn(),
      },
    },
  };
}
