// The log that the configuration asks for, behind one face: what App needs of it beside the port.

import { readFileSync } from 'node:fs';
import type { Config, KafkaLogSettings } from './config/index.ts';
import {
  type EmbeddedLogStats,
  type KafkaLogOptions,
  type KafkaLogStats,
  type Lag,
  type LogSink,
  type LogSource,
  openEmbeddedLog,
  openKafkaLog,
  type Skipped,
} from './log/index.ts';
import { detectEncoding, RECORD_ENCODINGS, type RecordEncoding, transcode } from './otlp/foreign/index.ts';
import { isTenantId } from './receivers/index.ts';
import { type Logger, LogSampler } from './telemetry/index.ts';

export interface LogStats {
  embedded?: EmbeddedLogStats;
  kafka?: KafkaLogStats & { lag: ReadonlyMap<number, Lag> };
}

export interface OpenLog {
  readonly log: LogSource & LogSink;
  /** A directory, or a topic. */
  readonly place: string;
  stats(): LogStats;
  /** The shard could not read a record. */
  deadLetter(letter: { partition: number; offset: number; reason: string }): void;
  /** After a loss of the shards: resolves when they are ours again. */
  regain(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenLogOptions {
  config: Config;
  now(): number;
  logger: Logger;
  /** The log gave the shards to another process. */
  onLost(reason: string): void;
  /** The log has a partition more. */
  onPartition(partition: number): void;
  signal: AbortSignal;
}

const TROUBLE_EVERY_MS = 10_000;
/** How long the group waits for a process that was killed; one that is only slow loses nothing by a rejoin, unless another took over. */
const SESSION_TIMEOUT_MS = 10_000;

/** @throws LogError */
export async function openLog({ config, now, logger, ...events }: OpenLogOptions): Promise<OpenLog> {
  if (config.log.kind === 'kafka') return openKafka({ config, now, logger, ...events });
  const { path, partitions, segmentBytes, retention } = config.log.embedded;
  const log = await openEmbeddedLog({ path, partitions, segmentBytes, retention, now, logger });
  return {
    log,
    place: path,
    stats: () => ({ embedded: log.stats() }),
    deadLetter: () => undefined,
    regain: () => Promise.reject(new Error('an embedded log is never lost to another process')),
    close: () => log.close(),
  };
}

async function openKafka({ config, now, logger, onLost, onPartition, signal }: OpenLogOptions): Promise<OpenLog> {
  const settings = config.log.kafka;
  const { brokers, topic, clientId, encoding, start, consumerGroup, compression } = settings;
  const sampler = new LogSampler(TROUBLE_EVERY_MS);
  const log = await openKafkaLog({
    brokers,
    topic,
    clientId,
    ...security(settings),
    encoding,
    transcode: readRecord,
    isTenantId,
    isSingleTenant: !config.multitenancyEnabled,
    start,
    group: { id: consumerGroup, shards: config.shards, sessionTimeoutMs: SESSION_TIMEOUT_MS, onLost },
    onPartition,
    onSkipped: (skipped: Skipped) => {
      // These are no fault of anybody.
      if (['control', 'aborted', 'tombstone'].includes(skipped.reason)) return;
      const held = sampler.admit(skipped.reason, now());
      if (held !== undefined)
        logger.warn({ topic, ...skipped, alsoHeldBack: held }, 'records of the topic were passed over');
    },
    onTrouble: (what, error) => {
      const held = sampler.admit(what, now());
      if (held !== undefined) logger.warn({ topic, err: error, alsoHeldBack: held }, what);
    },
    sink: { compression },
    ...(settings.deadLetterTopic === undefined ? {} : { deadLetterTopic: settings.deadLetterTopic }),
    now,
    signal,
  });
  return {
    log,
    place: topic,
    stats: () => ({ kafka: { ...log.stats(), lag: log.lag() } }),
    deadLetter: (letter) => log.deadLetter(letter),
    regain: () => log.regain(),
    close: () => log.close(),
  };
}

/** A record's value as the shards read it. @throws RecordDecodeError, Error for one that is of no known encoding */
function readRecord(encoding: string, bytes: Uint8Array): ReturnType<typeof transcode> {
  const found = encoding === 'auto' ? detectEncoding(bytes) : RECORD_ENCODINGS.find((known) => known === encoding);
  if (found === undefined) throw new Error('of no known encoding');
  return transcode(found satisfies RecordEncoding, bytes);
}

function security({ tls, sasl }: KafkaLogSettings): Pick<KafkaLogOptions, 'tls' | 'sasl'> {
  return {
    ...(tls
      ? {
          tls: {
            ...optional('ca', tls.ca, tls.caFile),
            ...optional('cert', tls.cert, tls.certFile),
            ...optional('key', tls.key, tls.keyFile),
            ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
            insecureSkipVerify: tls.insecureSkipVerify,
          },
        }
      : {}),
    ...(sasl
      ? {
          sasl: {
            mechanism: sasl.mechanism,
            username: sasl.username,
            password: sasl.password ?? readFileSync(sasl.passwordFile!, 'utf8').trim(),
          },
        }
      : {}),
  };
}

function optional<K extends string>(key: K, inline: string | undefined, file: string | undefined) {
  const value = inline ?? (file === undefined ? undefined : readFileSync(file, 'utf8'));
  return (value === undefined ? {} : { [key]: value }) as Partial<Record<K, string>>;
}
