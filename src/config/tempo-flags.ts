// Tempo's command line, as manifests and Helm charts have it: which key of the file a flag stands for, or why it has no effect. The
// key's own rules then hold: what is refused in a file is refused here. Flags win over the file.

import { NO_STORE } from './schema/tempo.ts';
import { nearest } from './suggest.ts';

export interface TempoFlag {
  /** Dotted path of the key that it sets; else it is ignored. */
  key?: string;
  /** Why it has no effect. */
  ignored?: string;
  /** Go's boolean flags take a value only after `=`. */
  isBoolean: boolean;
}

const LAYOUT = "it tunes Tempo's processes";
const INGESTION = 'overrides.defaults.ingestion';
const NATIVE = 'overrides.defaults.metrics_generator.native_histogram';

/** Flags whose names don't follow from the key's. */
const KEYS: Readonly<Record<string, string>> = {
  target: 'target',
  'multitenancy.enabled': 'multitenancy_enabled',
  'auth.enabled': 'auth_enabled',
  'http-api-prefix': 'http_api_prefix',
  'shutdown-delay': 'shutdown_delay',
  'log.level': 'server.log_level',
  'log.format': 'server.log_format',
  'server.http-listen-address': 'server.http_listen_address',
  'server.http-listen-port': 'server.http_listen_port',
  'server.grpc-listen-address': 'server.grpc_listen_address',
  'server.grpc-listen-port': 'server.grpc_listen_port',
  'server.path-prefix': 'server.http_path_prefix',
  'server.http-tls-cert-path': 'server.http_tls_config.cert_file',
  'server.http-tls-key-path': 'server.http_tls_config.key_file',
  'server.http-tls-ca-path': 'server.http_tls_config.client_ca_file',
  'server.http-tls-client-auth': 'server.http_tls_config.client_auth_type',
  'server.grpc-tls-cert-path': 'server.grpc_tls_config.cert_file',
  'server.grpc-tls-key-path': 'server.grpc_tls_config.key_file',
  'server.grpc-tls-ca-path': 'server.grpc_tls_config.client_ca_file',
  'server.grpc-tls-client-auth': 'server.grpc_tls_config.client_auth_type',
  'server.tls-cipher-suites': 'server.tls_cipher_suites',
  'server.tls-min-version': 'server.tls_min_version',
  'server.proxy-protocol-enabled': 'server.proxy_protocol_enabled',
  'config.per-user-override-config': 'overrides.per_tenant_override_config',
  'config.per-user-override-period': 'overrides.per_tenant_override_period',
  'distributor.rate-limit-strategy': `${INGESTION}.rate_strategy`,
  'distributor.ingestion-rate-limit-bytes': `${INGESTION}.rate_limit_bytes`,
  'distributor.ingestion-burst-size-bytes': `${INGESTION}.burst_size_bytes`,
  'ingester.max-traces-per-user': `${INGESTION}.max_traces_per_user`,
  'ingester.max-global-traces-per-user': `${INGESTION}.max_global_traces_per_user`,
  'ingester.max-bytes-per-trace': 'overrides.defaults.global.max_bytes_per_trace',
  'querier.max-bytes-per-tag-values-query': 'overrides.defaults.read.max_bytes_per_tag_values_query',
  'querier.max-blocks-per-tag-values-query': 'overrides.defaults.read.max_blocks_per_tag_values_query',
  'querier.max-condition-groups-per-tag-query': 'overrides.defaults.read.max_condition_groups_per_tag_query',
  'metrics-generator.native-histogram-bucket-factor': `${NATIVE}_bucket_factor`,
  'metrics-generator.native-histogram-max-bucket-number': `${NATIVE}_max_bucket_number`,
  'metrics-generator.native-histogram-min-reset-duration': `${NATIVE}_min_reset_duration`,
  'query-frontend.mcp-server.enabled': 'query_frontend.mcp_server.enabled',
};

const BOOLEAN =
  /(^|[.-])enabled$|^(enable-go-runtime-metrics|span-profiling|server\.proxy-protocol-enabled)$|^ingest\.(tls-insecure-skip-verify|disable-kafka-telemetry)$|^config\.enable-legacy-overrides$/;

/** By the beginning of the name. */
const IGNORED: readonly [pattern: RegExp, why: string][] = [
  [/^config\.enable-legacy-overrides$/, 'both shapes of overrides are always read'],
  [/^storage\.trace\./, NO_STORE],
  [/^(querier|query-frontend|compactor|ingester|live-store|block-builder|backend-)\b/, NO_STORE],
  [/^live-store-|^backend-|^search\.enabled$/, NO_STORE],
  [/^distributor\.(log-received-spans|log-discarded-spans|log-received-traces)/, 'spans are not logged'],
  [
    /^generator\.|^generatorstore$|^generatorconsul\./,
    "it tunes Tempo's generator: Kafka is read as ingest.kafka says",
  ],
  [/^reporting\./, 'spanmill reports nothing to anybody'],
  [/^(enable-go-runtime-metrics|span-profiling|mutex-profile-fraction|block-profile-threshold)$/, 'it is for Go only'],
  [/^mem-ballast-size-mbs$/, 'it is for Go only'],
  [/^(memberlist|server|distributor|metrics-generator|internal-server)\./, LAYOUT],
];

/** Undefined for a flag that Tempo does not have either. */
export function tempoFlag(name: string): TempoFlag | undefined {
  const isBoolean = BOOLEAN.test(name);
  const key = Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
  if (key !== undefined) return { key, isBoolean };
  // The flags of the client are its keys.
  if (name.startsWith('ingest.')) {
    return { key: `ingest.kafka.${name.slice('ingest.'.length).replaceAll('-', '_')}`, isBoolean };
  }
  const ignored = IGNORED.find(([pattern]) => pattern.test(name))?.[1];
  return ignored === undefined ? undefined : { ignored, isBoolean };
}

/** The flag that may be meant. */
export function nearestTempoFlag(name: string): string | undefined {
  return nearest(name, Object.keys(KEYS));
}
