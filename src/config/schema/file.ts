// The whole file: spanmill's own keys beside the blocks of a Tempo file. The single truth of names, defaults and descriptions.

import { z } from 'zod';
import { parseDuration } from '../duration.ts';
import { generatorBlock } from './generator.ts';
import { block, byteSize, duration, flag, integer, text, texts } from './keys.ts';
import { overridesBlock } from './overrides.ts';
import { SERVER_IGNORED, SERVER_IGNORED_PATTERNS, TEMPO_KEYS } from './tempo.ts';

const hostPort = (about: string) =>
  z
    .string()
    .refine(
      (value) =>
        /^(\[[0-9A-Fa-f:.]+\]|[^:\s]*):\d{1,5}$/.test(value) &&
        Number(value.slice(value.lastIndexOf(':') + 1)) < 65_536,
      {
        error: 'must be host:port',
      },
    )
    .describe(about);

const server = block(
  'The HTTP server: API, health, own metrics.',
  {
    http_listen_address: text('Address; empty = all.').prefault('127.0.0.1'),
    http_listen_port: integer('Port; 0 = any free one.', { max: 65_535 }).prefault(3200),
    log_level: z.enum(['debug', 'info', 'warn', 'error']).prefault('info').describe('Least severity that is logged.'),
    ...SERVER_IGNORED,
  },
  { ignoredPatterns: SERVER_IGNORED_PATTERNS },
);

const OFF = 'off';

const receivers = block('Where spans come in.', {
  otlp: block('OpenTelemetry protocol.', {
    http: block(
      'OTLP over HTTP (protobuf and JSON, path /v1/traces).',
      {
        enabled: flag('Whether it listens.').prefault(true),
        endpoint: hostPort('`host:port`.').prefault('127.0.0.1:4318'),
        max_request_body_size: byteSize('Longer requests are refused.').prefault('20MiB'),
      },
      { nullMeans: OFF },
    )
      .nullable()
      .prefault({}),
    grpc: block(
      'OTLP over gRPC.',
      {
        enabled: flag('Whether it listens.').prefault(true),
        endpoint: hostPort('`host:port`.').prefault('127.0.0.1:4317'),
      },
      { nullMeans: OFF },
    )
      .nullable()
      .prefault({}),
  }).prefault({}),
});

const MIB = 1024 * 1024;

const kafkaStart = z
  .string()
  .transform((written, context): 'earliest' | 'latest' | { agoMs: number } => {
    if (written === 'earliest' || written === 'latest') return written;
    const parsed = parseDuration(written);
    if ('ok' in parsed) return { agoMs: parsed.ok };
    context.addIssue({ code: 'custom', message: `must be earliest, latest or how long ago: ${parsed.error}` });
    return z.NEVER;
  })
  .describe('Where the first start begins: `earliest`, `latest`, or how long ago.');

const log = block('The log that spans are written to before they are acknowledged.', {
  kind: z.enum(['embedded', 'kafka']).prefault('embedded').describe('A directory of this process, or a Kafka topic.'),
  embedded: block('The log in a directory.', {
    path: text('Directory.').prefault('./data/log'),
    partitions: integer('Number of partitions; fixed once the directory is made.', { min: 1, max: 1024 }).prefault(4),
    segment_bytes: byteSize('A file of the log is closed at this size.', MIB).prefault('64MiB'),
    retention: block('What is kept. Records that no ledger holds yet are never deleted.', {
      max_age: duration('Older segments may be deleted.', { minMs: 1 }).prefault('24h'),
      max_bytes: byteSize('The oldest segments may be deleted above this size of the whole log.', MIB).prefault('2GiB'),
    }).prefault({}),
  }).prefault({}),
  kafka: block('The topic.', {
    brokers: texts('`host:port` of some brokers.').prefault([]),
    topic: text('Topic.').prefault(''),
    encoding: z
      .enum(['push-bytes', 'otlp', 'auto'])
      .optional()
      .describe('How records are encoded; unset = metrics_generator.codec.'),
    start: kafkaStart.prefault('10m'),
    consumer_group: text('Consumer group.').prefault('spanmill'),
  }).prefault({}),
});

const shards = block('Units of state. Each folds its part of the partitions.', {
  count: integer('Number of shards in all.', { min: 1, max: 1024 }).prefault(1),
  own: z
    .union([z.literal('all'), z.array(z.int().min(0))])
    .prefault('all')
    .describe('Shards that this process runs: `all`, or a list of numbers from 0.'),
});

const ledger = block('Where results are written down before they are sent.', {
  path: text('Directory.').prefault('./data/ledger'),
  max_bytes: byteSize('At this size the oldest unsent boundaries are given up, counted.', MIB).prefault('4GiB'),
});

export const configFile = block(
  'The configuration of spanmill.',
  {
    server: server.prefault({}),
    multitenancy_enabled: flag(
      'Tenants come from the header X-Scope-OrgID, which is then required; else there is one, `single-tenant`.',
    ).prefault(false),
    receivers: receivers.prefault({}),
    log: log.prefault({}),
    shards: shards.prefault({}),
    ledger: ledger.prefault({}),
    metrics_generator: generatorBlock().prefault({}),
    overrides: overridesBlock.prefault({}),
    ...TEMPO_KEYS,
  },
  { ignoredPatterns: [/^x-/] },
);
