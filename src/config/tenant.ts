// What the fold needs to know of one tenant: every value resolved, no optional keys, plain data that can be posted to a
// worker and stored in the ledger with its epoch. How YAML becomes this is the business of the other files here.

/** What a relabelling rule may do (Prometheus). */
export const RELABEL_ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;

export interface RelabelRule {
  sourceLabels: string[];
  separator: string;
  /** RE2, anchored at both ends. */
  regex: string;
  modulus: number;
  targetLabel: string;
  replacement: string;
  action: (typeof RELABEL_ACTIONS)[number];
}

export type MatchType = 'strict' | 'regex';
export interface PolicyAttribute {
  key: string;
  value: string | number | boolean;
}
export interface PolicyMatch {
  matchType: MatchType;
  attributes: PolicyAttribute[];
}
export interface FilterPolicy {
  include?: PolicyMatch;
  includeAny?: PolicyMatch;
  exclude?: PolicyMatch;
}
export interface DimensionMapping {
  name: string;
  sourceLabels: string[];
  join: string;
}

export interface IntrinsicDimensions {
  service: boolean;
  spanName: boolean;
  spanKind: boolean;
  statusCode: boolean;
  statusMessage: boolean;
}

export interface SpanMetricsSettings {
  /** Upper bounds in seconds, as written (may be unsorted). */
  histogramBuckets: number[];
  intrinsicDimensions: IntrinsicDimensions;
  dimensions: string[];
  dimensionMappings: DimensionMapping[];
  enableTargetInfo: boolean;
  targetInfoExcludedDimensions: string[];
  enableInstanceLabel: boolean;
  spanMultiplierKey: string;
  enableTracestateSpanMultiplier: boolean;
  filterPolicies: FilterPolicy[];
}

export interface ServiceGraphsSettings {
  waitMs: number;
  maxItems: number;
  histogramBuckets: number[];
  dimensions: string[];
  peerAttributes: string[];
  databaseNameAttributes: string[];
  enableClientServerPrefix: boolean;
  enableMessagingSystemLatencyHistogram: boolean;
  enableVirtualNodeLabel: boolean;
  spanMultiplierKey: string;
  enableTracestateSpanMultiplier: boolean;
  filterPolicies: FilterPolicy[];
}

export interface HostInfoSettings {
  hostIdentifiers: string[];
  metricName: string;
}

/** Whose names, labels and buckets the series have: Tempo's, the OpenTelemetry Collector's, or both from the same rows. */
export type Naming = 'tempo' | 'otel' | 'both';

export interface OtelDimension {
  name: string;
  /** Value where neither the span nor its resource has the attribute; null: no label. */
  default: string | null;
}

/** A pattern whose attributes become labels. */
export interface OtelGlob {
  /** As written. */
  glob: string;
  /** Source of a regular expression for whole names, flags `su`. */
  pattern: string;
}

/** Options of the collector's span_metrics connector that Tempo's generator has no word for. */
export interface OtelSpanMetricsSettings {
  namespace: string;
  dimensions: OtelDimension[];
  callsDimensions: OtelDimension[];
  durationDimensions: OtelDimension[];
  /** Null: events are not counted. */
  eventsDimensions: OtelDimension[] | null;
  /** Built-in dimensions that are left out, e.g. `span.name`. */
  excludeDimensions: string[];
  histogram: 'explicit' | 'exponential' | 'off';
  unit: 'ms' | 's';
  /** Upper bounds in the unit. */
  buckets: number[];
  maxSize: number;
  /** Are there any, and how many spans per row and interval? */
  exemplars: boolean;
  exemplarsPerPoint?: number;
  /** Resource attributes that tell series apart; none: all that have a label. */
  keyAttributes: string[];
  /** Label sets of one metric for each job and instance; 0 = unlimited. */
  cardinalityLimit: number;
  samplingMethod: boolean;
  // Optional, as settings that older epochs stored have none.
  /** Patterns of attributes that become labels: of all metrics, and of each alone. */
  globs?: { common: OtelGlob[]; calls: OtelGlob[]; duration: OtelGlob[]; events: OtelGlob[] };
  /** Are the resource's attributes labels, but for these? */
  resourceAttributes?: { except: string[] } | null;
  /** Instrumentation scopes whose spans have labels of them. */
  scopes?: string[];
}

export interface OtelSettings {
  /** Do metric names end in their unit and `_total`? */
  suffixes: boolean;
  /** Have span metrics `job` and `instance`, and is there `target_info`? */
  resourceLabels: boolean;
  /** `otel_status_code` (OK, ERROR or none) in place of `status_code`. */
  otelStatusCode: boolean;
  spanMetrics: OtelSpanMetricsSettings;
}

/** Names that `processors` may hold (rule book, section 0). */
export const PROCESSOR_NAMES = [
  'span-metrics',
  'span-metrics-latency',
  'span-metrics-count',
  'span-metrics-size',
  'service-graphs',
  'service-graphs-request',
  'service-graphs-latency',
  'service-graphs-connection-info',
  'host-info',
] as const;
export type ProcessorName = (typeof PROCESSOR_NAMES)[number];

export interface TenantSettings {
  processors: ProcessorName[];
  collectionIntervalMs: number;
  disableCollection: boolean;
  /** A span counts only if its end is within this many ms of its record's time, either side. */
  slackMs: number;
  staleDurationMs: number;
  /** Bytes; 0 = no limit. */
  maxLabelNameLength: number;
  maxLabelValueLength: number;
  externalLabels: Record<string, string>;
  injectTenantIdAs: string;
  limiterType: 'series' | 'entity';
  /** 0 = unlimited. */
  maxActiveSeries: number;
  maxActiveEntities: number;
  maxCardinalityPerLabel: number;
  histogramMode: 'classic' | 'native' | 'both';
  nativeBucketFactor: number;
  nativeMaxBuckets: number;
  nativeMinResetMs: number;
  spanNameSanitization: '' | 'dry_run' | 'enabled';
  traceIdLabelName: string;
  remoteWriteHeaders: Record<string, string>;
  /** By endpoint: what is done to the labels of each series before it is sent. Absent: nothing. */
  writeRelabel?: Record<string, RelabelRule[]>;
  spanMetrics: SpanMetricsSettings;
  serviceGraphs: ServiceGraphsSettings;
  hostInfo: HostInfoSettings;
  /** Do dimensions, peers and filters match other names of their keys in the semantic conventions? Absent in older epochs. */
  semconvAliases?: boolean;
  naming: Naming;
  otel: OtelSettings;
}
