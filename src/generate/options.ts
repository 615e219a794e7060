// The command line of `spanmill generate`. A flag that can't be used is a `UsageError` of one line.
import { parseArgs } from 'node:util';
import type { Batching } from './cutter.ts';
import { tracesUrl } from './http-exporter.ts';
import { CODECS, ENCODINGS, type KafkaCodec, type KafkaEncoding } from './kafka/names.ts';

export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

export interface KafkaTarget {
  type: 'kafka';
  /** host:port */
  brokers: string[];
  topic: string;
  encoding: KafkaEncoding;
  codec: KafkaCodec;
  /** By trace id. */
  isKeyed: boolean;
  tenant: string;
  concurrency: number;
}

export interface GenerateOptions {
  target:
    | { type: 'otlp' | 'grpc'; url: URL; isGzip: boolean; tenant: string; concurrency: number }
    | KafkaTarget
    | { type: 'file'; path: string };
  /** 0 is as fast as possible. */
  ratePerSecond: number;
  spans: number | undefined;
  durationMs: number | undefined;
  seed: number;
  start: bigint | 'now';
  batching: Batching;
}

export const USAGE = `Usage: spanmill generate (--otlp URL | --grpc ADDR | --kafka BROKERS --topic T | --file FILE) [options]

Makes the traces of a web shop, the same for the same seed, and prints at the end what was acknowledged, as one JSON object.

  --otlp URL         an OTLP/HTTP receiver, base address or .../v1/traces
  --grpc ADDR        an OTLP/gRPC receiver, host or host:port (4317); https://host:port for TLS
  --kafka BROKERS    brokers of a Kafka cluster, host or host:port (9092), comma-separated
  --file FILE        a file of length-delimited requests (uint32 LE, ExportTraceServiceRequest)
  --rate N           spans per second, 500 by default; 0 is as fast as possible
  --spans N          how many in all (--file: 100000 by default; otherwise endless until SIGINT)
  --duration TIME    no new traces after this time: 90, 90s, 5m, 1h
  --seed N           1 by default
  --start TIME       RFC 3339, Unix seconds, or now (--file: 2026-01-01T00:00:00Z by default; otherwise now)
  --batching HOW     gateway (several services in a request, default) or sdk (each service for itself)
  --concurrency N    requests in flight, 4 by default
  --gzip             compress requests (--otlp, --grpc)
  --tenant NAME      X-Scope-OrgID: a header, or the key of push-bytes records

Kafka only:
  --topic NAME       an existing topic
  --encoding NAME    otlp_proto (default), otlp_json, jaeger_proto, jaeger_json, zipkin_proto, zipkin_json: what the OpenTelemetry
                     collector's Kafka exporter writes; push-bytes: Tempo's record, its key the tenant (single-tenant by default).
                     Zipkin knows only µs: starts are rounded to them, durations rounded (json) or cut (proto), so latencies, not
                     counts, differ by up to 1 µs a span. Jaeger keeps the nanoseconds
  --codec NAME       none (default), gzip, snappy, lz4, zstd
  --keyed            a trace's records go to one partition, by its id (default). A record is one trace's part of one resource; with
                     jaeger_* one span; with push-bytes all traces of a request that share the partition, the key stays the tenant
  --unkeyed          each record goes to the next partition. A record is a whole request; with jaeger_* one span. Halves of an edge may
                     come to different partitions: the edges printed are those of a reader of all of them
  acks=all; each request in flight has an idempotent producer of its own, so a batch that is sent again is written once. One that has
  no answer after 30 s is listed under "unknown" and never sent again
`;

export const FILE_START = 1_767_225_600_000_000_000n;
const FLAGS = {
  otlp: { type: 'string' },
  file: { type: 'string' },
  grpc: { type: 'string' },
  kafka: { type: 'string' },
  topic: { type: 'string' },
  encoding: { type: 'string' },
  codec: { type: 'string' },
  keyed: { type: 'boolean' },
  unkeyed: { type: 'boolean' },
  gzip: { type: 'boolean' },
  rate: { type: 'string' },
  spans: { type: 'string' },
  duration: { type: 'string' },
  seed: { type: 'string' },
  start: { type: 'string' },
  batching: { type: 'string' },
  concurrency: { type: 'string' },
  tenant: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): GenerateOptions | 'help' {
  const flags = readFlags(argv);
  if (flags.help) return 'help';
  const { file } = flags;
  const targets = (['otlp', 'grpc', 'kafka', 'file'] as const).filter((name) => flags[name] !== undefined);
  if (targets.length === 0)
    throw new UsageError('where to? give --otlp URL, --grpc ADDR, --kafka BROKERS --topic T or --file FILE');
  if (targets.length > 1) throw new UsageError(`--${targets[0]} and --${targets[1]} exclude each other`);
  refuse(flags, targets[0]!);
  if (file === '') throw new UsageError('--file needs a path');
  const { batching = 'gateway' } = flags;
  if (batching !== 'gateway' && batching !== 'sdk')
    throw new UsageError(`--batching is gateway or sdk, not "${batching}"`);
  return {
    target: file !== undefined ? { type: 'file', path: file } : readTarget(flags),
    ratePerSecond: readInteger('rate', flags.rate ?? '500', 0, 10_000_000),
    spans: flags.spans === undefined ? undefined : readInteger('spans', flags.spans, 1, Number.MAX_SAFE_INTEGER),
    durationMs: flags.duration === undefined ? undefined : readDuration(flags.duration),
    seed: readInteger('seed', flags.seed ?? '1', 0, Number.MAX_SAFE_INTEGER),
    start: flags.start === undefined ? (file === undefined ? 'now' : FILE_START) : readTime(flags.start),
    batching,
  };
}

type Flags = ReturnType<typeof readFlags>;
type Target = 'otlp' | 'grpc' | 'kafka' | 'file';

const GOES_WITH: Partial<Record<keyof Flags, readonly Target[]>> = {
  gzip: ['otlp', 'grpc'],
  concurrency: ['otlp', 'grpc', 'kafka'],
  tenant: ['otlp', 'grpc', 'kafka'],
  topic: ['kafka'],
  encoding: ['kafka'],
  codec: ['kafka'],
  keyed: ['kafka'],
  unkeyed: ['kafka'],
};

function refuse(flags: Flags, target: Target): void {
  for (const [name, targets] of Object.entries(GOES_WITH) as [keyof Flags, readonly Target[]][]) {
    if (flags[name] === undefined || targets.includes(target)) continue;
    const names = targets.map((one) => `--${one}`);
    const last = names.pop()!;
    throw new UsageError(`--${name} goes with ${names.length === 0 ? '' : `${names.join(', ')} and `}${last} only`);
  }
}

function readTarget(flags: Flags): Exclude<GenerateOptions['target'], { type: 'file' }> {
  const common = {
    tenant: readTenant(flags.tenant ?? ''),
    concurrency: readInteger('concurrency', flags.concurrency ?? '4', 1, 1_024),
  };
  if (flags.kafka === undefined) {
    const isGzip = flags.gzip ?? false;
    return flags.grpc === undefined
      ? { type: 'otlp', url: readUrl(flags.otlp!), isGzip, ...common }
      : { type: 'grpc', url: readAddress(flags.grpc), isGzip, ...common };
  }
  if (!flags.topic) throw new UsageError('--kafka needs --topic NAME');
  if (flags.keyed && flags.unkeyed) throw new UsageError('--keyed and --unkeyed exclude each other');
  return {
    type: 'kafka',
    brokers: readBrokers(flags.kafka),
    topic: flags.topic,
    encoding: readOneOf('encoding', flags.encoding ?? 'otlp_proto', ENCODINGS),
    codec: readOneOf('codec', flags.codec ?? 'none', Object.keys(CODECS) as KafkaCodec[]),
    isKeyed: !flags.unkeyed,
    ...common,
  };
}

function readBrokers(value: string): string[] {
  return value.split(',').map((part) => {
    const match = /^([\w.-]+|\[[\da-f:]+\])(?::(\d{1,5}))?$/i.exec(part.trim());
    const port = Number(match?.[2] ?? 9092);
    if (match !== null && port > 0 && port < 65_536) return `${match[1]}:${port}`;
    throw new UsageError(`--kafka needs addresses such as localhost:9092, not "${value}"`);
  });
}

function readOneOf<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new UsageError(`--${name} is ${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}, not "${value}"`);
}

function readFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [line] = (error as Error).message.split(/\n|\. To specify/);
    throw new UsageError(line!);
  }
}

function readUrl(value: string): URL {
  try {
    return tracesUrl(value);
  } catch {
    throw new UsageError(`--otlp needs an http or https address, not "${value}"`);
  }
}

/** The scheme is made one without a port of its own, because a URL forgets a port that is its scheme's. */
function readAddress(value: string): URL {
  const match = /^(?:(https?):\/\/)?([^/@?#]+)\/?$/.exec(value);
  try {
    const url = new URL(`${match![1] === 'https' ? 'grpcs' : 'grpc'}://${match![2]}`);
    if (url.hostname === '') throw new TypeError('no host');
    if (url.port === '') url.port = '4317';
    return url;
  } catch {
    throw new UsageError(`--grpc needs an address such as localhost:4317, not "${value}"`);
  }
}

/** Printable ASCII: anything else can't be a header's value. */
function readTenant(value: string): string {
  if (!/^[ -~]*$/.test(value)) throw new UsageError('--tenant holds a character that a header can not');
  return value;
}

function readInteger(name: string, value: string, least: number, most: number): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`--${name} is an integer from ${least} to ${most}, not "${value}"`);
}

const UNIT_MS: Readonly<Record<string, number>> = { '': 1_000, s: 1_000, m: 60_000, h: 3_600_000 };

function readDuration(value: string): number {
  const match = /^(\d{1,7})([smh]?)$/.exec(value);
  if (match === null || Number(match[1]) === 0)
    throw new UsageError(`--duration is a time such as 90s, 5m or 1h, not "${value}"`);
  return Number(match[1]) * UNIT_MS[match[2]!]!;
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(?:Z|[+-]\d\d:\d\d)$/i;

function readTime(value: string): bigint | 'now' {
  if (value === 'now') return 'now';
  if (/^\d{1,10}$/.test(value)) return BigInt(value) * 1_000_000_000n;
  const match = RFC_3339.exec(value);
  // Parsing this one format is exact and the same everywhere; the fraction is taken by hand, for its nanoseconds.
  const ms = match === null ? Number.NaN : Date.parse(value.toUpperCase().replace(/\.\d+/, ''));
  if (!(ms >= 0)) throw new UsageError(`--start is RFC 3339, Unix seconds or now, not "${value}"`);
  return BigInt(ms) * 1_000_000n + BigInt((match![1] ?? '').padEnd(9, '0'));
}
