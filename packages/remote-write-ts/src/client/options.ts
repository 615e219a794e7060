// The options of a writer and of a client with a queue. Names and defaults are those of Prometheus' `remote_write`, but for
// 429, which is retried unless told otherwise: dropping what a receiver asked to have later helps nobody.

import type { DiskQueueOptions } from '../disk-queue/index.ts';
import { SenderError } from '../errors/index.ts';
import type { LabelPair } from '../labels/index.ts';
import { isNameTranslation, NAME_TRANSLATIONS, type NameTranslation } from '../names/index.ts';
import { MAX_TIMER_MS, type SenderOptions, whole } from '../sender/index.ts';
import type { ProtocolChoice } from './negotiation.ts';
import type { WriteOutcome } from './outcome.ts';
import type { BatchInfo } from './stats.ts';

export interface WriterOptions extends SenderOptions {
  /** Default: `auto`: 2.0, and 1.0 for a receiver that doesn't understand it; with `prefer_2.0` only if it says so (415). */
  protocol?: ProtocolChoice;
  /** With `auto`: after how long 2.0 is tried again on an endpoint that didn't speak it. Default: an hour. */
  reprobeMs?: number;
  /** Samples older than this are dropped before an attempt. Default: 0, no limit. */
  sampleAgeLimitMs?: number;
  /** Further requests that a 1.0 batch may be split into after a 400, to find the series at fault. 0: none. Default: 64. */
  maxBisectRequests?: number;
  /** Told after each attempt what it carried and how long it took. What it throws is ignored. */
  onBatch?: (info: BatchInfo) => void;
}

export interface QueueOptions {
  /** Points per shard, what is on its way not counted, before `append` waits. Default: 10,000. */
  capacity?: number;
  /** Requests that may be on their way at a time. Default: 1. */
  minShards?: number;
  /** Default: 50. */
  maxShards?: number;
  /** Samples, histograms and exemplars of one request; a tenth more with exemplars. Default: 2,000. */
  maxSamplesPerSend?: number;
  /** After which a batch that isn't full is sent. Default: 5,000. */
  batchSendDeadlineMs?: number;
  /** How often the number of shards is computed. Default: 10,000. */
  reshardIntervalMs?: number;
  /** `block`: `append` waits. `drop_oldest`: what waits longest makes room, counted as `queue_full`. Default: `block`. */
  onFull?: 'block' | 'drop_oldest';
}

export interface MetadataOptions {
  /** Default: true. On 2.0 metadata go with each series, whatever is said here. */
  send?: boolean;
  /** Default: 60,000. */
  sendIntervalMs?: number;
  /** Families of one request. Default: 2,000. */
  maxPerSend?: number;
}

export interface RemoteWriteOptions extends Omit<WriterOptions, 'maxConcurrent'> {
  queue?: QueueOptions;
  /** Keeps what isn't delivered on disk, over restarts too. Default: none. */
  diskQueue?: DiskQueueOptions;
  /** Of 1.0, where they travel in requests of their own. */
  metadata?: MetadataOptions;
  /** Default: true. */
  sendExemplars?: boolean;
  /** How names of OpenTelemetry that `series` is given become Prometheus'. Missing: they are final. */
  nameTranslation?: NameTranslation;
  /** Added, as they are, to each series that hasn't a label of that name. */
  externalLabels?: readonly LabelPair[];
  /** Told how each batch ended. What it throws is ignored. */
  onOutcome?: (outcome: WriteOutcome) => void;
}

export interface ResolvedQueue {
  capacity: number;
  minShards: number;
  maxShards: number;
  /** As configured. */
  maxSamples: number;
  /** Exemplars included. */
  maxPerSend: number;
  deadlineMs: number;
  reshardIntervalMs: number;
  onFull: 'block' | 'drop_oldest';
}

const MAX_COUNT = 1_000_000_000;
const MAX_SHARDS = 10_000;

/** @throws SenderError `bad_option` */
export function resolveQueue({ queue = {}, sendExemplars = true }: RemoteWriteOptions): ResolvedQueue {
  const minShards = whole('queue.minShards', queue.minShards ?? 1, MAX_SHARDS);
  const maxShards = whole('queue.maxShards', queue.maxShards ?? 50, MAX_SHARDS);
  if (maxShards < minShards) throw new SenderError('bad_option', 'queue.maxShards is below queue.minShards');
  const maxSamples = whole('queue.maxSamplesPerSend', queue.maxSamplesPerSend ?? 2_000, MAX_COUNT);
  return {
    capacity: whole('queue.capacity', queue.capacity ?? 10_000, MAX_COUNT),
    minShards,
    maxShards,
    maxSamples,
    maxPerSend: sendExemplars ? Math.floor(maxSamples * 1.1) : maxSamples,
    deadlineMs: whole('queue.batchSendDeadlineMs', queue.batchSendDeadlineMs ?? 5_000, MAX_TIMER_MS),
    reshardIntervalMs: whole('queue.reshardIntervalMs', queue.reshardIntervalMs ?? 10_000, MAX_TIMER_MS),
    onFull: queue.onFull ?? 'block',
  };
}

/** @throws SenderError `bad_option` */
export function resolveNames({ nameTranslation }: RemoteWriteOptions): NameTranslation | undefined {
  if (nameTranslation !== undefined && !isNameTranslation(nameTranslation)) {
    throw new SenderError('bad_option', `nameTranslation is one of ${NAME_TRANSLATIONS.join(', ')}`);
  }
  return nameTranslation;
}

export interface ResolvedWriter {
  protocol: ProtocolChoice;
  reprobeMs: number;
  sampleAgeLimitMs: number;
  maxBisectRequests: number;
}

const PROTOCOL_CHOICES: readonly ProtocolChoice[] = ['auto', '1.0', '2.0', 'prefer_2.0'];

/** @throws SenderError `bad_option` */
export function resolveWriter(options: WriterOptions): ResolvedWriter {
  const { protocol = 'auto', sampleAgeLimitMs = 0, maxBisectRequests = 64 } = options;
  if (!PROTOCOL_CHOICES.includes(protocol)) {
    throw new SenderError('bad_option', `protocol is one of ${PROTOCOL_CHOICES.join(', ')}`);
  }
  return {
    protocol,
    reprobeMs: whole('reprobeMs', options.reprobeMs ?? 3_600_000, Number.MAX_SAFE_INTEGER),
    sampleAgeLimitMs: sampleAgeLimitMs === 0 ? 0 : whole('sampleAgeLimitMs', sampleAgeLimitMs, Number.MAX_SAFE_INTEGER),
    maxBisectRequests: maxBisectRequests === 0 ? 0 : whole('maxBisectRequests', maxBisectRequests, MAX_COUNT),
  };
}
