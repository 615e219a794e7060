// What the threads say to each other. Main reads the log and serves HTTP; the shard worker folds; the ledger worker makes entries
// durable and sends them. Messages are plain data; arrays in batches and snapshots are handed over, not copied.

import type { WriterOptions } from 'remote-write-ts';
import type { TenantSettings } from '../config/index.ts';
import type { CommitEntry, EndMark, LogBatch } from '../log/index.ts';
import type { Section } from '../registry/index.ts';
import type { SenderCounters, StageSummary } from '../telemetry/index.ts';

/** Settings that both workers need, resolved on main. */
export interface ShardPlan {
  shard: number;
  /** Partitions of this shard, ascending. */
  partitions: number[];
  /** Value of the identity label on every series of the shard. */
  instance: string;
  logIdentity: string;
  /** Does the log fence its readers? Then an entry is committed when the log says so, not when it is durable. */
  isFenced: boolean;
  /** The entry that the log has committed for the shard; absent if it has none. */
  committed?: { claim: number; tMs: number; digest: string };
  /** Greatest common divisor of the tenants' collection intervals: entries are written at its multiples. */
  boundaryMs: number;
  settings: TenantSettingsTable;
  ledgerPath: string;
  ledgerMaxBytes: number;
  remoteWrite: EndpointPlan[];
  /** How long a stop may send, whatever time it has. */
  flushDeadlineMs?: number;
  /** Adds `X-Scope-OrgID` with the tenant to remote writes. */
  addOrgIdHeader: boolean;
  logLevel: string;
  /** Records that ended a worker: passed over, counted. */
  fatalRecords: [partition: number, offset: number][];
  /** Partition and offset of the record that is being folded; partition -1 between two. Outlives the worker. */
  inHand: SharedArrayBuffer;
}

/** Size of `ShardPlan.inHand`. */
export const IN_HAND_BYTES = 16;

/** Settings by tenant; a tenant that is not in the table has `defaults`. */
export interface TenantSettingsTable {
  defaults: TenantSettings;
  tenants: Record<string, TenantSettings>;
}

export interface EndpointPlan {
  name: string;
  url: string;
  headers: Record<string, string>;
  /** How it is reached and in which protocol: the rest of a writer's options, as plain data. */
  connection: EndpointConnection;
  sendExemplars: boolean;
  /** Boundaries older than this are not sent; 0 = no limit. */
  sampleAgeLimitMs: number;
  maxSamplesPerSend: number;
  maxParallelRequests: number;
}

export type EndpointConnection = Pick<
  WriterOptions,
  | 'protocol'
  | 'timeoutMs'
  | 'minBackoffMs'
  | 'maxBackoffMs'
  | 'basicAuth'
  | 'bearerToken'
  | 'authorization'
  | 'oauth2'
  | 'sigv4'
  | 'tls'
  | 'proxy'
  | 'followRedirects'
  | 'sampleAgeLimitMs'
>;

/** Where folding goes on. */
export interface Position {
  /** End of the last closed tick, ms; undefined before the first. */
  tMs: number | undefined;
  offsets: [partition: number, nextOffset: number][];
  lastRecords: [partition: number, offset: number, timestampMs: number, crc: number][];
  epoch: number;
  claim: number;
  /** The last entry was the last before a shutdown: it was said for every tenant, whatever its interval. */
  isFinal: boolean;
}

export type ToShard =
  | { type: 'begin'; offsets: [partition: number, nextOffset: number][] }
  | { type: 'batch'; batch: LogBatch }
  | { type: 'end'; mark: EndMark }
  /** Main reads no more of a partition for now: its silence means nothing. In order with its batches. */
  | { type: 'paused'; partition: number; isPaused: boolean }
  /** A partition that appeared later. */
  | { type: 'add'; partition: number; offset: number }
  /** New settings: they hold from the next boundary on. */
  | { type: 'configure'; settings: TenantSettingsTable }
  | { type: 'stop' };

export type FromShard =
  | { type: 'recovered'; position: Position }
  /** Bytes of a partition's batches that are folded, since the beginning. */
  | { type: 'folded'; partition: number; bytes: number }
  | { type: 'poison'; partition: number; offset: number; tenant: string; reason: string; message: string }
  | { type: 'stats'; stats: ShardStats }
  /** The partition takes part from now on: its records may come. */
  | { type: 'added'; partition: number; offset: number }
  | { type: 'stopped' };

export type ShardToLedger =
  | { type: 'snapshot'; content: SnapshotContent }
  | { type: 'base'; tMs: number; sections: Section[] }
  /** There are no more. */
  | { type: 'closed' };

/** What an entry is made of: the ledger's EntryContent before it is encoded. */
export interface SnapshotContent {
  kind: 'genesis' | 'boundary' | 'final';
  tMs: number;
  epoch: number;
  engine: string;
  offsets: [partition: number, nextOffset: number][];
  lastRecords: [partition: number, offset: number, timestampMs: number, crc: number][];
  ticks: { endsMs: Float64Array; nextOffsets: Float64Array; partitions: number[] };
  sections: Section[];
}

export type LedgerToShard =
  | { type: 'state'; tMs: number; sections: Section[] }
  | { type: 'recovered'; position: Position }
  | { type: 'committed'; wantsBase: boolean };

export type ToLedger =
  /** Folding is to begin at these offsets: they are committed first, under the new claim. Answered by `pinned`. */
  | { type: 'pin'; offsets: [partition: number, nextOffset: number][] }
  /** The answer to `commit`. */
  | { type: 'commit_outcome'; outcome: 'committed' | 'refused' }
  | { type: 'render'; id: number; tenant: string; openMetrics: boolean }
  /** `hasShardEnded`: what it gave is on its way, up to `closed`. */
  | { type: 'stop'; deadlineMs: number; hasShardEnded: boolean };

export type FromLedger =
  | {
      type: 'committed';
      tMs: number;
      offsets: [partition: number, nextOffset: number][];
    }
  | { type: 'rendered'; id: number; text: string | undefined; tMs: number }
  | { type: 'stats'; stats: LedgerStats }
  | { type: 'stopped' }
  | { type: 'pinned' }
  /** To be committed in the log; one at a time. */
  | { type: 'commit'; entry: CommitEntry }
  /** `isLost`: the log refused a commit, somebody else may own the shard. */
  | { type: 'failed'; message: string; isLost: boolean };

/** What the rules over labels did; names are those of labels. */
export interface LabelStats {
  namesSanitized: number;
  patternsDetected: number;
  patternsEvicted: number;
  /** Span names that the sanitizer passed over, by reason. */
  namesSkipped: { too_few_tokens: number; too_many_tokens: number };
  valuesLimited: [name: string, count: number][];
}

export interface TenantStats {
  tenant: string;
  spansReceived: number;
  bytesReceived: number;
  activeSeries: number;
  rows: number;
  pendingEdges: number;
  edges: number;
  completedEdges: number;
  expiredEdges: number;
  seriesLimited: number;
  discarded: [key: string, count: number][];
  /** Absent: not told. */
  labels?: LabelStats;
}

export interface ShardStats {
  openTickMs: number | undefined;
  lastBoundaryMs: number | undefined;
  waitingFor: number | undefined;
  bufferedBytes: number;
  records: number;
  undecodable: number;
  futureRecords: number;
  heldRecords: number;
  lateRecords: number;
  tenants: TenantStats[];
  latencies: StageSummary[];
}

export interface EndpointStats extends SenderCounters {
  name: string;
  url: string;
  settledMs: number | undefined;
  retries: number;
  lastError: string | undefined;
}

export interface LedgerStats {
  committedMs: number | undefined;
  entries: number;
  sizeBytes: number;
  overLimit: boolean;
  endpoints: EndpointStats[];
  latencies: StageSummary[];
}
