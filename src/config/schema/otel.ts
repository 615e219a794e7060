// `metrics_generator.otel:` with the keys and defaults of the OpenTelemetry Collector's span_metrics and service_graph connectors, so
// that their blocks can be pasted. What is not built yet is refused.

import { z } from 'zod';
import { otelLabelName } from '../label-name.ts';
import type { OtelDimension, OtelGlob } from '../tenant.ts';
import { block, duration, flag, ignored, integer, opaque, refused, text, texts } from './keys.ts';
import { globMatches, parseGlob } from './otel-globs.ts';

/** The connector's own dimensions: what `exclude_dimensions` may name and other dimensions may not. */
export const BUILT_IN_DIMENSIONS = [
  'service.name',
  'span.name',
  'span.kind',
  'status.code',
  'collector.instance.id',
] as const;
const BUILT_IN: ReadonlySet<string> = new Set(BUILT_IN_DIMENSIONS);

const SERVICE_ATTRIBUTES = ['service.name', 'service.namespace', 'service.instance.id'];
const SCOPE_LABELS: ReadonlySet<string> = new Set([
  'span_instrumentation_scope_name',
  'span_instrumentation_scope_version',
]);

/** The others of the span_metrics connector are keys: `unit`, `namespace`, `exclude_dimensions`. */
export const FEATURE_GATES = [
  'connector.spanmetrics.excludeResourceMetrics',
  'spanmetrics.statusCodeConvention.useOtelPrefix',
] as const;

const NOT_BUILT = 'not built yet';
const FLUSH = 'set registry.collection_interval';

interface Dimensions {
  named: OtelDimension[];
  globs: OtelGlob[];
}

function dimensions(about: string) {
  return z
    .array(
      z.strictObject({
        name: z.string().min(1).optional().describe('The attribute.'),
        default: z.string().optional().describe('Value where the attribute is missing; unset = no label.'),
        glob: z
          .string()
          .min(1)
          .optional()
          .describe(
            'In place of name: every attribute whose name matches, each with a label of its own; `*` stops at a dot, `**` does not.',
          ),
      }),
    )
    .transform((list, context): Dimensions => {
      const seen = new Set<string>();
      const globs: OtelGlob[] = [];
      const fail = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
      const named = list.flatMap(({ name, default: value }) =>
        name === undefined ? [] : [{ name, default: value ?? null }],
      );
      list.forEach(({ name, default: value, glob }, index) => {
        const path = [index, name === undefined ? 'glob' : 'name'];
        const id = name ?? glob;
        if (id === undefined) fail([index], 'name or glob is missing');
        else if (name !== undefined && glob !== undefined) fail([index, 'glob'], 'either name or glob');
        else if (seen.has(id)) fail(path, `"${id}" is here twice`);
        else if (name !== undefined) {
          if (BUILT_IN.has(name)) fail(path, `"${name}" is a label anyway`);
          else if (otelLabelName(name) === 'le') fail(path, 'the label "le" belongs to the buckets');
        } else if (value !== undefined) fail([index, 'default'], 'a glob has no default');
        else {
          const parsed = parseGlob(id);
          const isTaken = (one: string) => !('error' in parsed) && globMatches(parsed, one);
          const builtIn = BUILT_IN_DIMENSIONS.find(isTaken);
          const other = named.find((one) => isTaken(one.name));
          if ('error' in parsed) fail(path, parsed.error);
          else if (builtIn !== undefined) fail(path, `it matches "${builtIn}", which is a label anyway`);
          else if (other !== undefined) fail(path, `it matches "${other.name}", which is here too`);
          else globs.push(parsed);
        }
        if (id !== undefined) seen.add(id);
      });
      return { named, globs };
    })
    .describe(about);
}

function bounds(about: string, defaults: readonly string[]) {
  return z
    .array(duration('An upper bound.', { minMs: 0 }))
    .superRefine((list, context) => {
      const at = list.findIndex((bound, index) => index > 0 && !(bound > list[index - 1]!));
      if (at >= 0) context.addIssue({ code: 'custom', path: [at], message: 'buckets must increase' });
    })
    .prefault([...defaults])
    .describe(about);
}

const SPAN_BOUNDS = '2ms 4ms 6ms 8ms 10ms 50ms 100ms 200ms 400ms 800ms 1s 1400ms 2s 5s 10s 15s'.split(' ');

const spanMetrics = block("The span_metrics connector's keys.", {
  namespace: text('What metric names begin with.').prefault('traces.span.metrics'),
  dimensions: dimensions(
    'Attributes (span first, then resource) that become labels, beside those of processor.span_metrics.dimensions.',
  ).prefault([]),
  calls_dimensions: dimensions('More labels of the calls alone.').prefault([]),
  exclude_dimensions: z
    .array(z.enum(BUILT_IN_DIMENSIONS))
    .prefault([])
    .describe(
      'Labels that every span has and that are left out. Without collector.instance.id there can be only one shard.',
    ),
  histogram: block('The durations.', {
    disable: flag('No durations.').prefault(false),
    unit: z.enum(['ms', 's']).prefault('ms').describe('Unit of the durations, and in their name.'),
    dimensions: dimensions('More labels of the durations alone.').prefault([]),
    explicit: block('Classic histograms; the form unless `exponential` is there.', {
      buckets: bounds('Upper bounds.', SPAN_BOUNDS),
    }).optional(),
    exponential: block('Native histograms instead.', {
      max_size: integer('Buckets in use at most: with more, each two become one.').prefault(160),
    }).optional(),
  }).prefault({}),
  exemplars: block('Traces beside the values.', {
    enabled: flag('The first spans of each label set and interval, of calls, durations and events.').prefault(false),
    max_per_data_point: integer('So many of them at most.', { max: 100 }).prefault(5),
  }).prefault({}),
  events: block("A counter of the spans' events.", {
    enabled: flag('Counts them.').prefault(false),
    dimensions: dimensions('Attributes (of the span, then the event, then the resource) that become labels.').prefault(
      [],
    ),
  }).prefault({}),
  resource_metrics_key_attributes: texts(
    'Resource attributes that tell series apart, of service.namespace and service.instance.id; none named = both.',
  ).prefault([]),
  aggregation_cardinality_limit: integer(
    'Label sets of one metric for each job and instance (and labels of the resource); more are counted under otel_metric_overflow="true"; 0 = no limit.',
  ).prefault(0),
  enable_metrics_sampling_method: flag(
    "Label `sampling_method`: `extrapolated` where a span's tracestate has a threshold, else `counted`.",
  ).prefault(false),
  include_instrumentation_scope: texts(
    'Spans of the scopes of these names have the labels `span_instrumentation_scope_name` and `_version`. Scopes tell no series apart: the span that comes first decides.',
  ).prefault([]),
  add_resource_attributes: refused(NOT_BUILT, [false]),
  aggregation_temporality: refused('samples of remote-write are cumulative', ['AGGREGATION_TEMPORALITY_CUMULATIVE']),
  metrics_flush_interval: refused(FLUSH),
  metrics_expiration: refused('set series_expiration: series end one by one', ['0s', 0]),
  series_expiration: duration(
    'In place of registry.stale_duration: a series without an update for this long ends, within five minutes; 0 = that.',
  ).prefault('0s'),
  metric_timestamp_cache_size: ignored('it is for delta samples', [1000]),
  resource_metrics_cache_size: ignored('nothing is evicted', [1000]),
  dimensions_cache_size: ignored('it has no effect in the collector either', [1000]),
}).transform((value, context) => {
  const { explicit, exponential, disable, unit } = value.histogram;
  if (explicit !== undefined && exponential !== undefined) {
    context.addIssue({ code: 'custom', path: ['histogram'], message: 'either explicit or exponential' });
  }
  const { named, globs } = value.events.dimensions;
  if (value.events.enabled && named.length + globs.length === 0) {
    context.addIssue({ code: 'custom', path: ['events', 'dimensions'], message: 'events need a dimension' });
  }
  const lists = [
    { path: ['dimensions'], own: value.dimensions },
    { path: ['calls_dimensions'], own: value.callsDimensions },
    { path: ['histogram', 'dimensions'], own: value.histogram.dimensions },
    { path: ['events', 'dimensions'], own: value.events.dimensions },
  ];
  for (const { path, own } of value.includeInstrumentationScope.length > 0 ? lists : []) {
    const taken = own.named.find(({ name }) => SCOPE_LABELS.has(otelLabelName(name)));
    const message = `the label of "${taken?.name}" belongs to include_instrumentation_scope`;
    if (taken) context.addIssue({ code: 'custom', path, message });
  }
  const [common, calls, duration, events] = lists.map(({ own }) => own.globs) as [
    OtelGlob[],
    OtelGlob[],
    OtelGlob[],
    OtelGlob[],
  ];
  const buckets = explicit?.buckets ?? SPAN_BOUNDS_MS;
  return {
    namespace: value.namespace,
    dimensions: value.dimensions.named,
    callsDimensions: value.callsDimensions.named,
    durationDimensions: value.histogram.dimensions.named,
    eventsDimensions: value.events.enabled ? value.events.dimensions.named : null,
    globs: { common, calls, duration, events },
    excludeDimensions: value.excludeDimensions as string[],
    histogram: disable ? ('off' as const) : exponential ? ('exponential' as const) : ('explicit' as const),
    unit,
    buckets: buckets.map((ms) => (unit === 's' ? ms / 1000 : ms)),
    maxSize: exponential?.maxSize || 160,
    exemplars: value.exemplars.enabled,
    exemplarsPerPoint: value.exemplars.maxPerDataPoint,
    scopes: value.includeInstrumentationScope,
    keyAttributes: value.resourceMetricsKeyAttributes,
    cardinalityLimit: value.aggregationCardinalityLimit,
    samplingMethod: value.enableMetricsSamplingMethod,
    seriesExpiration: value.seriesExpiration,
  };
});

const SPAN_BOUNDS_MS = [2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400, 2000, 5000, 10_000, 15_000];

const serviceGraph = block("The service_graph connector's keys.", {
  latency_histogram_buckets: bounds('Upper bounds.', SPAN_BOUNDS),
  exponential_histogram_max_size: refused('set generate_native_histograms in overrides', [0]),
  dimensions: texts('Attributes (resource first, then span) that become labels `client_…` and `server_…`.').prefault(
    [],
  ),
  store: block('Edges that wait for their other half.', {
    ttl: duration('How long they wait.').prefault('2s'),
    max_items: integer('Waiting edges at most.', { min: 1 }).prefault(1000),
  }).prefault({}),
  virtual_node_peer_attributes: texts(
    'Attributes that name an uninstrumented peer; the first one present wins. An empty list turns virtual nodes off.',
  ).prefault(['peer.service', 'db.name', 'db.system']),
  virtual_node_extra_label: flag('Label `virtual_node` on edges of which one side was never seen.').prefault(false),
  database_name_attributes: texts('Attributes that name the database; the first one present wins.').prefault([
    'db.name',
  ]),
  metrics_flush_interval: refused(FLUSH),
  metrics_timestamp_offset: refused(NOT_BUILT, ['0s', 0]),
  cache_loop: ignored('registry.stale_duration ends series without an update', ['1m']),
  store_expiration_loop: ignored('waiting edges are looked at every 2 s', ['2s']),
  metrics_exporter: opaque('the collector passes over it too'),
});

const resourceConversion = block("What the remote-write exporter makes of the resource's attributes.", {
  enabled: flag(
    'Every attribute of the resource is a label of its span metrics; they win over other attributes.',
  ).prefault(false),
  exclude_service_attributes: flag('But for service.name, service.namespace and service.instance.id.').prefault(false),
});

export const otelBlock = block(
  "With `naming: otel`: the OpenTelemetry Collector's options. With `both` only those of names, unit and buckets.",
  {
    translation_strategy: z
      .enum(['UnderscoreEscapingWithSuffixes', 'UnderscoreEscapingWithoutSuffixes'])
      .prefault('UnderscoreEscapingWithSuffixes')
      .describe('Do metric names end in their unit and `_total`?'),
    feature_gates: z
      .array(z.enum(FEATURE_GATES))
      .prefault([])
      .describe(
        "The collector's gates that change labels: no `job`, `instance` and `target_info`, or `otel_status_code` in place of `status_code`.",
      ),
    resource_to_telemetry_conversion: resourceConversion.prefault({}),
    span_metrics: spanMetrics.prefault({}),
    service_graph: serviceGraph.prefault({}),
  },
).transform(({ resourceToTelemetryConversion, ...value }, context) => {
  const { enabled, excludeServiceAttributes } = resourceToTelemetryConversion;
  if (enabled && value.featureGates.includes('connector.spanmetrics.excludeResourceMetrics')) {
    const message = 'with the gate connector.spanmetrics.excludeResourceMetrics there are no attributes to convert';
    context.addIssue({ code: 'custom', path: ['resource_to_telemetry_conversion', 'enabled'], message });
  }
  const resourceAttributes = enabled ? { except: excludeServiceAttributes ? [...SERVICE_ATTRIBUTES] : [] } : null;
  return { ...value, spanMetrics: { ...value.spanMetrics, resourceAttributes } };
});
