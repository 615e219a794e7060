// The whole file: spanmill's own keys beside the blocks of a Tempo file. The single truth of names, defaults and descriptions.

import { z } from 'zod';
import { parseDuration } from '../duration.ts';
import { generatorBlock } from './generator.ts';
import { block, brokers, byteSize, duration, flag, hostPort, integer, refused, secret, text } from './keys.ts';
import { overridesBlock } from './overrides.ts';
import { onlyOneSource } from './remote-write.ts';
import { SERVER_IGNORED, SERVER_IGNORED_PATTERNS, TEMPO_KEYS } from './tempo.ts';

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
  jaeger: refused('send OTLP, or put a collector before it'),
  zipkin: block(
    'Zipkin v2 over HTTP (JSON and protobuf, path /api/v2/spans). Off unless it is written.',
    { endpoint: hostPort('`host:port`.').prefault('127.0.0.1:9411') },
    { nullMeans: OFF },
  )
    .nullable()
    .optional(),
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

/** Values of `log.kafka.encoding`. */
export const KAFKA_ENCODINGS = [
  'push-bytes',
  'otlp',
  'otlp_proto',
  'otlp_json',
  'jaeger_proto',
  'jaeger_json',
  'zipkin_proto',
  'zipkin_json',
  'auto',
] as const;

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
    brokers: brokers('`host:port` of some brokers.').prefault([]),
    topic: text('Topic.').prefault(''),
    encoding: z
      .enum(KAFKA_ENCODINGS)
      .optional()
      .describe('How records are encoded; `auto` tells them apart; unset = metrics_generator.codec.'),
    start: kafkaStart.prefault('10m'),
    consumer_group: text('Consumer group: its committed offsets fence the shards.').prefault('spanmill'),
    client_id: text('Name of this client in the brokers’ logs and quotas.').prefault('spanmill'),
    on_log_gap: z
      .enum(['continue', 'stop'])
      .prefault('continue')
      .describe('Records were deleted before they were folded: go on without them, counted, or stop.'),
    dead_letter_topic: text('Undecodable records are also written here; empty = nowhere.').prefault(''),
    compression: z
      .enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
      .prefault('zstd')
      .describe('Of what the receivers write to the topic.'),
    tls: block('TLS towards the brokers; `{}` is TLS with the authorities of the runtime.', {
      ca: text('CA certificates (PEM).').optional(),
      ca_file: text('File with CA certificates.').optional(),
      cert: text('Client certificate (PEM).').optional(),
      cert_file: text('File with the client certificate.').optional(),
      key: secret('Client key (PEM).').optional(),
      key_file: text('File with the client key.').optional(),
      server_name: text('Name expected in the certificate.').optional(),
      insecure_skip_verify: flag('Accepts any certificate.').prefault(false),
    })
      .superRefine(onlyOneSource)
      .optional(),
    sasl: block('Who we are to the brokers.', {
      mechanism: z
        .string()
        .toLowerCase()
        .pipe(z.enum(['plain', 'scram-sha-256', 'scram-sha-512']))
        .prefault('plain')
        .describe('PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.'),
      username: text('User.'),
      password: secret('Password.').optional(),
      password_file: text('File with the password.').optional(),
    })
      .refine((sasl) => (sasl.password === undefined) !== (sasl.passwordFile === undefined), {
        error: 'needs password or password_file',
      })
      .optional(),
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

const onOff = z
  .union([z.boolean(), z.enum(['on', 'off'])])
  .transform((written) => written === true || written === 'on');

const semconv = block('Names that attributes have had in the OpenTelemetry semantic conventions.', {
  aliases: onOff
    .prefault('off')
    .describe(
      '`on`: dimensions, peer and database attributes and filter policies match any name that their key has or had, and the values are spelt as that key spells them.',
    ),
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
    semconv: semconv.prefault({}),
    ...TEMPO_KEYS,
  },
  { ignoredPatterns: [/^x-/] },
);
