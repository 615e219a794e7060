// From the configuration to what one shard's workers need: partitions, identity, tenants' settings, endpoints with their secrets read.

import { readFileSync } from 'node:fs';
import { type Config, type RemoteWriteEndpoint, resolveTenants } from './config/index.ts';
import { type Committed, LogError, type LogSource } from './log/index.ts';
import { type EndpointPlan, IN_HAND_BYTES, type ShardPlan } from './shard/index.ts';
import type { Logger } from './telemetry/index.ts';

/** What an endpoint asks for that this version can't honour: it is refused, never ignored. */
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

/**
 * The entry that all of the shard's partitions have committed: the older one where a commit reached some only. Partitions that came
 * later have none.
 * @throws LogError `unknown_commit` if an offset was committed by somebody else
 */
export function committedEntry(
  committed: ReadonlyMap<number, Committed>,
  partitions: readonly number[],
): { claim: number; tMs: number; digest: string } | undefined {
  let oldest: { claim: number; tMs: number; digest: string } | undefined;
  let claim = 0;
  for (const partition of partitions) {
    const found = committed.get(partition);
    if (!found) continue;
    const match = /^(\d+):(\d+):([0-9a-f]+)$/.exec(found.metadata);
    if (!match) {
      throw new LogError(
        'unknown_commit',
        `offset ${found.offset} of partition ${partition} was committed by somebody else (metadata "${found.metadata.slice(0, 80)}"): use another log.kafka.consumer_group, or delete the group's offsets to go on from the ledger`,
      );
    }
    const entry = { claim: Number(match[1]), tMs: Number(match[2]), digest: match[3]! };
    claim = Math.max(claim, entry.claim);
    if (!oldest || entry.tMs < oldest.tMs) oldest = entry;
  }
  return oldest && { ...oldest, claim };
}

/** @throws LogError `unknown_commit` if somebody else committed offsets of the shard's partitions */
export async function shardPlan(config: Config, shard: number, log: LogSource, logger: Logger): Promise<ShardPlan> {
  const { count } = config.shards;
  const partitions = log.partitionIds().filter((partition) => partition % count === shard);
  const committed = log.fence && committedEntry(await log.fence.committed(), partitions);
  const settings = resolveTenants(config);
  const intervals = [settings.defaults, ...Object.values(settings.tenants)].map((s) => s.collectionIntervalMs);
  return {
    shard,
    partitions,
    // From the log's identity and the shard, not from the host: the same across restarts and machines, another for another log.
    instance: `spanmill-${log.identity.slice(0, 8)}-${shard}`,
    logIdentity: log.identity,
    isFenced: log.fence !== undefined,
    ...(committed ? { committed } : {}),
    boundaryMs: intervals.reduce(greatestCommonDivisor),
    settings,
    ledgerPath: config.ledger.path,
    ledgerMaxBytes: config.ledger.maxBytes,
    remoteWrite: config.remoteWrite.endpoints.map(endpointPlan),
    addOrgIdHeader: config.remoteWrite.addOrgIdHeader,
    fatalRecords: [],
    inHand: new SharedArrayBuffer(IN_HAND_BYTES),
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
