// `overrides:`: the same tree for the defaults, for a tenant's block in the per-tenant file and for `*` there. In `defaults` a few
// keys have a value; in a tenant's block every key is optional, because absent and false are not the same.

import { z } from 'zod';
import { nearest } from '../suggest.ts';
import { PROCESSOR_NAMES, type ProcessorName } from '../tenant.ts';
import {
  buckets,
  HOST_INFO_KEYS,
  INTRINSIC_KEYS,
  LOCAL_BLOCKS,
  SERVICE_GRAPHS_KEYS,
  SPAN_METRICS_KEYS,
} from './generator.ts';
import { block, duration, flag, ignored, integer, opaque, refused, text } from './keys.ts';
import { headerMap } from './remote-write.ts';
import { NO_STORE } from './tempo.ts';

export type Strictness = 'strict' | 'reference';

const KNOWN: ReadonlySet<string> = new Set(PROCESSOR_NAMES);

/** `reference` drops unknown names without a word, as the reference generator does. */
function processors(strictness: Strictness) {
  return z
    .array(z.string())
    .superRefine((names, context) => {
      if (strictness === 'reference') return;
      names.forEach((name, index) => {
        if (KNOWN.has(name) || name === 'local-blocks') return;
        const near = nearest(name, PROCESSOR_NAMES);
        const hint = near ? `did you mean "${near}"?` : `there are ${PROCESSOR_NAMES.join(', ')}`;
        context.addIssue({ code: 'custom', path: [index], message: `"${name}" is no processor: ${hint}` });
      });
    })
    .transform((names) => [...new Set(names)].filter((name): name is ProcessorName => KNOWN.has(name)))
    .describe(
      `What runs: ${PROCESSOR_NAMES.join(', ')}. Unset everywhere: span-metrics and service-graphs; an empty list: nothing.`,
    );
}

function optionalKeys<S extends Record<string, z.ZodType>>(shape: S): { [K in keyof S]: z.ZodOptional<S[K]> } {
  return Object.fromEntries(Object.entries(shape).map(([key, schema]) => [key, schema.optional()])) as {
    [K in keyof S]: z.ZodOptional<S[K]>;
  };
}

/** The `metrics_generator` block of overrides. */
export function generatorOverrides(place: 'defaults' | 'tenant', strictness: Strictness = 'strict') {
  // Typed as optional in both places, so that defaults and tenants are the same type.
  const withDefault = <T extends z.ZodType>(schema: T, value: unknown): z.ZodOptional<T> =>
    place === 'defaults' ? (schema.prefault(value as never) as unknown as z.ZodOptional<T>) : schema.optional();
  const anyOrder = strictness === 'reference';
  return block('Metrics of the tenant.', {
    processors: processors(strictness).optional(),
    collection_interval: duration("Time between samples; 0 = the registry's.", { wholeSeconds: true }).optional(),
    disable_collection: flag('Computes, but sends nothing.').optional(),
    max_active_series: integer('Series at most; 0 = no limit. More are counted in an overflow series.').optional(),
    max_active_entities: integer('Label sets at most, with limiter_type entity; 0 = no limit.').optional(),
    max_cardinality_per_label: integer('Distinct values of a label at most; 0 = no limit.').optional(),
    generate_native_histograms: withDefault(
      z.enum(['classic', 'native', 'both']).describe('Which histograms are made.'),
      'classic',
    ),
    native_histogram_bucket_factor: withDefault(
      z.number().gt(1).describe('Growth from one native bucket to the next, above 1.'),
      1.1,
    ),
    native_histogram_max_bucket_number: withDefault(
      integer("Native buckets at most; 0 = no limit in the defaults, and theirs in a tenant's block."),
      100,
    ),
    native_histogram_min_reset_duration: withDefault(
      duration('A native histogram with too many buckets is reset no sooner than this.'),
      '15m',
    ),
    span_name_sanitization: withDefault(
      z.enum(['', 'dry_run', 'enabled']).describe('Replaces the variable parts of span names.'),
      '',
    ),
    trace_id_label_name: text('Label of the trace id in exemplars; empty = traceID.').optional(),
    ingestion_time_range_slack: duration('Overrides metrics_ingestion_time_range_slack; 0 = that.').optional(),
    remote_write_headers: headerMap('Headers added for this tenant; they replace those of the same name.', [
      'authorization',
    ]).optional(),
    ring_size: ignored('there is no ring', [0]),
    forwarder: opaque('spans go through the log, not through a queue'),
    processor: block('Values that replace those of `metrics_generator.processor`.', {
      service_graphs: block('Edges between services.', {
        histogram_buckets: buckets(anyOrder).optional(),
        ...optionalKeys(SERVICE_GRAPHS_KEYS),
      }).optional(),
      span_metrics: block('RED metrics per span.', {
        histogram_buckets: buckets(anyOrder).optional(),
        intrinsic_dimensions: block(
          'Labels that every span has; merged over the static ones.',
          optionalKeys(INTRINSIC_KEYS),
        ).optional(),
        ...optionalKeys(SPAN_METRICS_KEYS),
      }).optional(),
      host_info: block('One gauge per host.', optionalKeys(HOST_INFO_KEYS)).optional(),
      local_blocks: LOCAL_BLOCKS,
    }).optional(),
  });
}

const NOT_ENFORCED = 'limits at the receivers are not enforced yet';
const STOPS_ALL = {
  values: [0],
  hint: '0 lets nothing of the tenant in, and limits are not enforced yet: stop it at the sender, or set metrics_generator.processors to []',
};
const NOT_ATTRIBUTED = 'usage is not attributed';
const MOVED = 'the key moved to global.max_bytes_per_trace';

/** Limits of queries and of kept traces: each is known, so that a misspelled one is found. */
const READ = block('Limits of queries.', {
  max_bytes_per_tag_values_query: ignored(NO_STORE, [1_000_000]),
  max_blocks_per_tag_values_query: ignored(NO_STORE, [0]),
  max_condition_groups_per_tag_query: ignored(NO_STORE, [100]),
  max_search_duration: ignored(NO_STORE, ['0s']),
  max_metrics_duration: ignored(NO_STORE, ['0s']),
  unsafe_query_hints: ignored(NO_STORE, [false]),
  left_pad_trace_ids: ignored(NO_STORE, [false]),
  metrics_spanonly_fetch: ignored(NO_STORE, [false]),
  span_pruning_awareness: ignored(NO_STORE, [false]),
  span_pruning_enabled: ignored(NO_STORE, [false]),
  engine_bytes_tracking: ignored(NO_STORE, [false]),
  max_bytes_per_trace: refused(MOVED),
});
const COMPACTION = block('How long traces are kept.', {
  block_retention: ignored(NO_STORE, ['0s']),
  compaction_window: ignored(NO_STORE, ['0s']),
  compaction_disabled: ignored(`${NO_STORE} (Tempo's migration tool writes this key)`, [false]),
});

function overridesTree(place: 'defaults' | 'tenant') {
  return {
    metrics_generator: generatorOverrides(place).prefault({}),
    ingestion: block('Limits at the receivers.', {
      rate_strategy: ignored(NOT_ENFORCED, ['local']),
      rate_limit_bytes: ignored(NOT_ENFORCED, [30_000_000], STOPS_ALL),
      burst_size_bytes: ignored(NOT_ENFORCED, [30_000_000], STOPS_ALL),
      max_traces_per_user: ignored(NO_STORE, [10_000]),
      max_global_traces_per_user: ignored(NO_STORE, [0]),
      tenant_shard_size: ignored('tenants are not spread over partitions', [0]),
      max_attribute_bytes: refused(
        'not built yet: attributes are not cut when they come in, metrics_generator.registry.max_label_value_length cuts labels',
        [0, 2048],
      ),
      artificial_delay: ignored('answers are not delayed', ['0s']),
      retry_info_enabled: ignored(NOT_ENFORCED, [true]),
      max_bytes_per_trace: refused(MOVED),
    }).optional(),
    read: READ.optional(),
    compaction: COMPACTION.optional(),
    global: block('Limits of a trace.', { max_bytes_per_trace: ignored(NO_STORE, [5_000_000]) }).optional(),
    storage: block('Columns of kept traces.', { parquet_dedicated_columns: ignored(NO_STORE, [[]]) }).optional(),
    cost_attribution: block('Metrics of usage.', {
      max_cardinality: ignored(NOT_ATTRIBUTED, [0]),
      dimensions: ignored(NOT_ATTRIBUTED, [{}]),
    }).optional(),
    forwarders: refused("spanmill doesn't forward spans: tee them in a collector", [[]]),
  };
}

export const defaultsBlock = block('Settings of every tenant.', overridesTree('defaults'), { flatShape: 'tenant' });
export const tenantBlock = block("A tenant's settings.", overridesTree('tenant'), { flatShape: 'tenant' });

export const overridesBlock = block(
  'Per-tenant settings.',
  {
    merge: z
      .enum(['deep', 'replace'])
      .prefault('deep')
      .describe(
        "How a tenant's block meets the defaults: `deep` merges it over them, `replace` uses it alone, as Tempo does.",
      ),
    defaults: defaultsBlock.prefault({}),
    per_tenant_override_config: text(
      'File with `overrides:`, tenant to block; `*` is for tenants without a block.',
    ).optional(),
    per_tenant_override_period: duration('How often that file is read again.', { minMs: 100 }).prefault('10s'),
    enable_legacy_overrides: ignored('both shapes are always read', [true, false]),
    user_configurable_overrides: opaque('there is no API for overrides', [
      { path: ['enabled'], harmless: [false], hint: 'not built: put the JSON objects into the per-tenant file' },
    ]),
  },
  { flatShape: 'overrides' },
);

const tenantId = /^(?!\.{1,2}$)[0-9A-Za-z!\-_.*'()]{1,150}$/;

export const tenantFile = block('The per-tenant file.', {
  overrides: z
    .record(z.string(), tenantBlock)
    .prefault({})
    .superRefine((tenants, context) => {
      for (const tenant of Object.keys(tenants)) {
        if (tenantId.test(tenant)) continue;
        const message = "a tenant's name has 1 to 150 of the characters 0-9 A-Z a-z ! - _ . * ' ( )";
        context.addIssue({ code: 'custom', path: [tenant], message });
      }
    })
    .describe('Tenant to block.'),
});
