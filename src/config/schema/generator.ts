// `metrics_generator:` with the keys, nesting and defaults of Grafana Tempo's block of that name.

import { z } from 'zod';
import { filterPolicies } from './filter-policy.ts';
import { block, duration, flag, ignored, integer, opaque, refused, text, textMap, texts } from './keys.ts';
import { otelBlock } from './otel.ts';
import { remoteWrite } from './remote-write.ts';

const powers = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first * 2 ** i);

/** `anyOrder` lets unsorted bounds pass, as the reference generator does for static blocks. */
export function buckets(anyOrder: boolean) {
  return z
    .array(z.number())
    .superRefine((bounds, context) => {
      const at = bounds.findIndex((bound, index) => index > 0 && !(bound > bounds[index - 1]!));
      if (at >= 0 && !anyOrder) {
        context.addIssue({
          code: 'custom',
          path: [at],
          message: `buckets must increase: ${bounds[at]} follows ${bounds[at - 1]}`,
        });
      }
    })
    .describe('Upper bounds of the classic histogram, in seconds, increasing.');
}

export const dimensionMappings = z
  .array(
    z
      .strictObject({
        name: z.string().min(1).describe("The label's name, before it is sanitized."),
        source_labels: z.array(z.string()).min(1).describe('Attributes whose non-empty values are joined.'),
        join: z.string().prefault('').describe('What is put between two values.'),
      })
      .transform(({ name, source_labels, join }) => ({ name, sourceLabels: source_labels, join })),
  )
  .describe('One label out of several attributes.');

/** Keys that the static block and the overrides share, without defaults. */
export const SPAN_METRICS_KEYS = {
  dimensions: texts('Attributes (resource first, then span) that become labels.'),
  dimension_mappings: dimensionMappings,
  enable_target_info: flag('Emits `traces_target_info` with the attributes of the resource.'),
  target_info_excluded_dimensions: texts('Attributes left out of `traces_target_info`.'),
  enable_instance_label: flag('Label `instance` (from service.instance.id) on span metrics, with target info on.'),
  span_multiplier_key: text('Attribute that holds the sampling ratio: a span counts 1/ratio times.'),
  enable_tracestate_span_multiplier: flag('Weighs a span by the sampling threshold in its tracestate (`ot=th:`).'),
  filter_policies: filterPolicies,
};
export const SERVICE_GRAPHS_KEYS = {
  dimensions: texts('Attributes that become labels of an edge.'),
  peer_attributes: texts('Attributes that name an uninstrumented peer; the first one present wins.'),
  enable_client_server_prefix: flag('Puts `client_` or `server_` before the labels of dimensions.'),
  enable_messaging_system_latency_histogram: flag('Histogram of the time between producer and consumer.'),
  enable_virtual_node_label: flag('Label `virtual_node` on edges of which one side was never seen.'),
  span_multiplier_key: SPAN_METRICS_KEYS.span_multiplier_key,
  enable_tracestate_span_multiplier: SPAN_METRICS_KEYS.enable_tracestate_span_multiplier,
  filter_policies: filterPolicies,
};
export const HOST_INFO_KEYS = {
  host_identifiers: z
    .array(z.string())
    .min(1)
    .describe('Resource attributes that name a host; the first non-empty one wins.'),
  metric_name: z.string().describe("The gauge's name."),
};
export const INTRINSIC_KEYS = {
  service: flag('Label `service`.'),
  span_name: flag('Label `span_name`.'),
  span_kind: flag('Label `span_kind`.'),
  status_code: flag('Label `status_code`.'),
  status_message: flag('Label `status_message`.'),
};

export const LOCAL_BLOCKS = opaque('the local-blocks processor does not exist here: metrics and traces are kept apart');

const spanMetrics = (anyOrder: boolean) =>
  block('RED metrics per span.', {
    histogram_buckets: buckets(anyOrder).prefault(powers(0.002, 14)),
    intrinsic_dimensions: block('Labels that every span has.', {
      service: INTRINSIC_KEYS.service.prefault(true),
      span_name: INTRINSIC_KEYS.span_name.prefault(true),
      span_kind: INTRINSIC_KEYS.span_kind.prefault(true),
      status_code: INTRINSIC_KEYS.status_code.prefault(true),
      status_message: INTRINSIC_KEYS.status_message.prefault(false),
    }).prefault({}),
    dimensions: SPAN_METRICS_KEYS.dimensions.prefault([]),
    dimension_mappings: SPAN_METRICS_KEYS.dimension_mappings.prefault([]),
    enable_target_info: SPAN_METRICS_KEYS.enable_target_info.prefault(false),
    target_info_excluded_dimensions: SPAN_METRICS_KEYS.target_info_excluded_dimensions.prefault([]),
    enable_instance_label: SPAN_METRICS_KEYS.enable_instance_label.prefault(true),
    span_multiplier_key: SPAN_METRICS_KEYS.span_multiplier_key.prefault(''),
    enable_tracestate_span_multiplier: SPAN_METRICS_KEYS.enable_tracestate_span_multiplier.prefault(false),
    filter_policies: SPAN_METRICS_KEYS.filter_policies.prefault([]),
  });

const serviceGraphs = (anyOrder: boolean) =>
  block('Edges between services.', {
    wait: duration('How long half an edge waits for its other half.').prefault('10s'),
    max_items: integer('Pending edges held at most.', { min: 1 }).prefault(10_000),
    workers: ignored('edges expire without worker threads', [10]),
    histogram_buckets: buckets(anyOrder).prefault(powers(0.1, 8)),
    dimensions: SERVICE_GRAPHS_KEYS.dimensions.prefault([]),
    peer_attributes: SERVICE_GRAPHS_KEYS.peer_attributes.prefault([
      'peer.service',
      'db.name',
      'db.system',
      'db.system.name',
    ]),
    database_name_attributes: texts('Attributes that name the database node; the first one present wins.').prefault([
      'db.namespace',
      'db.name',
      'db.system',
      'db.system.name',
    ]),
    enable_client_server_prefix: SERVICE_GRAPHS_KEYS.enable_client_server_prefix.prefault(false),
    enable_messaging_system_latency_histogram:
      SERVICE_GRAPHS_KEYS.enable_messaging_system_latency_histogram.prefault(false),
    enable_virtual_node_label: SERVICE_GRAPHS_KEYS.enable_virtual_node_label.prefault(false),
    span_multiplier_key: SERVICE_GRAPHS_KEYS.span_multiplier_key.prefault(''),
    enable_tracestate_span_multiplier: SERVICE_GRAPHS_KEYS.enable_tracestate_span_multiplier.prefault(false),
    filter_policies: SERVICE_GRAPHS_KEYS.filter_policies.prefault([]),
  });

const registry = block('Series and labels, for every tenant.', {
  collection_interval: duration('Time between two samples of a series; whole seconds.', {
    minMs: 1000,
    wholeSeconds: true,
  }).prefault('15s'),
  stale_duration: duration('A series without an update for this long ends.', { minMs: 1 }).prefault('15m'),
  external_labels: textMap('Labels on every series.').prefault({}),
  inject_tenant_id_as: text('Label that carries the tenant; empty = none.').prefault(''),
  max_label_name_length: integer('Longer label names are cut (bytes; 0 = no limit).').prefault(1024),
  max_label_value_length: integer('Longer label values are cut (bytes; 0 = no limit).').prefault(2048),
});

const storage = block('Where samples go.', {
  path: text(
    "Tempo's directory of WALs: where `ledger.path` or `log.embedded.path` is not set, ledger and log are kept in `spanmill` under it. The generator runs with or without it.",
  ).prefault(''),
  wal: opaque("the ledger's entries replace the WAL"),
  remote_write_flush_deadline: duration(
    'Time given to the last samples at shutdown, within the 25 s of a whole stop. What is unsent by then waits in the ledger for the next start.',
  ).prefault('1m'),
  remote_write_add_org_id_header: flag(
    'Adds `X-Scope-OrgID` with the tenant, if multitenancy is on and no header of that name is set.',
  ).prefault(true),
  remote_write: remoteWrite.prefault([]),
});

const GONE = 'the key is gone in current versions of Tempo and means nothing here';

/** `anyOrder`: see `buckets`. */
export function generatorBlock(anyOrder = false) {
  return block(
    'Metrics from spans, for every tenant. Which processors run is said in `overrides`.',
    {
      processor: block('Processors.', {
        span_metrics: spanMetrics(anyOrder).prefault({}),
        service_graphs: serviceGraphs(anyOrder).prefault({}),
        host_info: block('One gauge per host.', {
          host_identifiers: HOST_INFO_KEYS.host_identifiers.prefault(['k8s.node.name', 'host.id']),
          metric_name: HOST_INFO_KEYS.metric_name.min(1).prefault('traces_host_info'),
        }).prefault({}),
        local_blocks: LOCAL_BLOCKS,
      }).prefault({}),
      naming: z
        .enum(['tempo', 'otel', 'both'])
        .prefault('tempo')
        .describe(
          "Whose names, labels and buckets the series have: Tempo's, the OpenTelemetry Collector's, or both from the same rows.",
        ),
      otel: otelBlock.prefault({}),
      registry: registry.prefault({}),
      storage: storage.prefault({}),
      metrics_ingestion_time_range_slack: duration(
        'A span whose end is further than this from the time of its record, either side, is not counted.',
      ).prefault('30s'),
      limiter_type: z
        .enum(['series', 'entity'])
        .prefault('series')
        .describe('Which limit counts: max_active_series or max_active_entities.'),
      codec: z
        .enum(['push-bytes', 'otlp', 'auto'])
        .prefault('push-bytes')
        .describe('How the records of a Kafka topic are encoded.'),
      ring: opaque('there is no ring: partitions are owned by shards'),
      override_ring_key: ignored('there is no ring', ['metrics-generator']),
      ring_mode: refused('spanmill owns partitions by shard: remove it', ['partition']),
      ingest_concurrency: ignored('decoding is not spread over goroutines', [16]),
      instance_id: ignored("a series' instance is its shard, not the host", ['']),
      leave_consumer_group_on_shutdown: ignored(
        'the group is left at a stop, so that another process need not wait for its session to end',
        [false],
      ),
      skip_stale_backlog_on_startup: refused(
        'it would lose counts: spanmill folds a backlog with its own timestamps; see log.kafka.start',
        [false],
      ),
      traces_storage: opaque(GONE),
      traces_query_storage: opaque(GONE),
      query_timeout: ignored(GONE, ['30s']),
      disable_local_blocks: ignored(GONE),
      disable_grpc: ignored(GONE),
      assigned_partitions: ignored(GONE),
    },
    { ignoredPatterns: [/^local_block_/] },
  );
}
