// From the configuration to what one shard's workers need: partitions, identity, tenants' settings, endpoints.

import { type Config, resolveTenants } from './config/index.ts';
import { endpointPlan } from './endpoint-plan.ts';
import { type Committed, LogError, type LogSource } from './log/index.ts';
import { IN_HAND_BYTES, type ShardPlan } from './shard/index.ts';
import type { Logger } from './telemetry/index.ts';

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
    remoteWrite: config.remoteWrite.endpoints.map((endpoint) => endpointPlan(endpoint)),
    addOrgIdHeader: config.remoteWrite.addOrgIdHeader,
    flushDeadlineMs: config.remoteWrite.flushDeadlineMs,
    fatalRecords: [],
    inHand: noneInHand(),
    logLevel: logger.level,
  };
}

/** A worker that ends before it looks at a record had none in hand: zeros would name one. */
function noneInHand(): SharedArrayBuffer {
  const inHand = new SharedArrayBuffer(IN_HAND_BYTES);
  new Float64Array(inHand)[0] = -1;
  return inHand;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
