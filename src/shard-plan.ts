// From the configuration to what one shard's workers need: partitions, identity, tenants' settings, endpoints with their secrets read.

import { readFileSync } from 'node:fs';
import { type Config, type RemoteWriteEndpoint, resolveTenant, type TenantSettings } from './config/index.ts';
import type { LogSource } from './log/index.ts';
import type { EndpointPlan, ShardPlan, TenantSettingsTable } from './shard/index.ts';
import type { Logger } from './telemetry/index.ts';

/** Settings that would change series but that this version can't honour: they are refused, never ignored. */
export function unbuiltSettings(tenant: string, settings: TenantSettings): string[] {
  const at = `metrics_generator settings of ${tenant}: `;
  return [
    ...(settings.histogramMode === 'classic'
      ? []
      : [`${at}generate_native_histograms: ${settings.histogramMode} is not built yet; use classic`]),
    ...(settings.spanNameSanitization === '' ? [] : [`${at}span_name_sanitization is not built yet; leave it empty`]),
    ...(settings.maxCardinalityPerLabel === 0
      ? []
      : [`${at}max_cardinality_per_label is not built yet; use max_active_series`]),
  ];
}

/** Likewise of endpoints. */
export function unbuiltEndpoint(endpoint: RemoteWriteEndpoint): string[] {
  const at = `metrics_generator.storage.remote_write "${endpoint.name}": `;
  const authorized = endpoint.bearerToken !== undefined || endpoint.bearerTokenFile !== undefined;
  return [
    ...(authorized && endpoint.authorizationScheme !== 'Bearer'
      ? [`${at}authorization.type ${endpoint.authorizationScheme} is not built yet; use Bearer`]
      : []),
    ...(endpoint.tls && (endpoint.tls.minVersion !== 'TLS12' || endpoint.tls.maxVersion !== undefined)
      ? [`${at}tls_config.min_version and max_version are not built yet; TLS 1.2 and newer are used`]
      : []),
  ];
}

/** A name no tenant can have: its settings are those of tenants without a block of their own. */
const NOBODY = '\u0000';

export async function shardPlan(config: Config, shard: number, log: LogSource, logger: Logger): Promise<ShardPlan> {
  const { count } = config.shards;
  const settings: TenantSettingsTable = {
    defaults: resolveTenant(config, NOBODY),
    tenants: Object.fromEntries(
      Object.keys(config.overrides.tenants)
        .filter((tenant) => tenant !== '*')
        .map((tenant) => [tenant, resolveTenant(config, tenant)]),
    ),
  };
  const intervals = [settings.defaults, ...Object.values(settings.tenants)].map((s) => s.collectionIntervalMs);
  return {
    shard,
    partitions: log.partitionIds().filter((partition) => partition % count === shard),
    // From the log's identity and the shard, not from the host: the same across restarts and machines, another for another log.
    instance: `spanmill-${log.identity.slice(0, 8)}-${shard}`,
    logIdentity: log.identity,
    boundaryMs: intervals.reduce(greatestCommonDivisor),
    settings,
    ledgerPath: config.ledger.path,
    ledgerMaxBytes: config.ledger.maxBytes,
    remoteWrite: config.remoteWrite.endpoints.map(endpointPlan),
    addOrgIdHeader: config.remoteWrite.addOrgIdHeader,
    logLevel: logger.level,
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function endpointPlan(endpoint: RemoteWriteEndpoint): EndpointPlan {
  const { basicAuth, tls } = endpoint;
  const bearerToken = secret(endpoint.bearerToken, endpoint.bearerTokenFile);
  const headers = { ...endpoint.headers };
  return {
    name: endpoint.name,
    url: endpoint.url,
    timeoutMs: endpoint.remoteTimeoutMs,
    headers,
    ...(basicAuth
      ? {
          basicAuth: {
            username: secret(basicAuth.username, basicAuth.usernameFile) ?? '',
            password: secret(basicAuth.password, basicAuth.passwordFile) ?? '',
          },
        }
      : {}),
    ...(bearerToken === undefined ? {} : { bearerToken }),
    ...(tls
      ? {
          tls: {
            ...optional('ca', secret(tls.ca, tls.caFile)),
            ...optional('cert', secret(tls.cert, tls.certFile)),
            ...optional('key', secret(tls.key, tls.keyFile)),
            ...optional('serverName', tls.serverName),
            insecureSkipVerify: tls.insecureSkipVerify,
          },
        }
      : {}),
    sendExemplars: endpoint.sendExemplars,
    minBackoffMs: endpoint.minBackoffMs,
    maxBackoffMs: endpoint.maxBackoffMs,
    sampleAgeLimitMs: endpoint.sampleAgeLimitMs,
    maxSamplesPerSend: endpoint.maxSamplesPerSend,
    maxParallelRequests: endpoint.maxParallelRequests,
  };
}

function secret(inline: string | undefined, file: string | undefined): string | undefined {
  return file === undefined ? inline : readFileSync(file, 'utf8').trim();
}

function optional<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, string>);
}
