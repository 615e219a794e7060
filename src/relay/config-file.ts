// A file of Prometheus' shape: one target, one endpoint. Keys that Prometheus has and a relay doesn't are said once each and
// otherwise ignored, so that a Prometheus' own file can be used.

import { readFileSync } from 'node:fs';
import type { LabelPair, RemoteWriteOptions, Secret } from 'remote-write-ts';
import { isNode, isScalar, LineCounter, parseDocument, type Scalar, visit } from 'yaml';
import { z } from 'zod';
import { readDuration } from './duration.ts';
import {
  DEFAULT_ACCEPT,
  DEFAULT_MAX_BYTES,
  DEFAULT_TIMEOUT_MS,
  MAX_PER_REQUEST,
  type RelaySettings,
  SettingsError,
} from './settings.ts';

const duration = z.string().transform((text, context) => {
  const read = readDuration(text);
  if (typeof read === 'number') return read;
  context.addIssue({ code: 'custom', message: read.error });
  return z.NEVER;
});
const text = z.string();
const labels = z.record(z.string().min(1), text);
const externalLabels = labels.refine((of) => !Object.hasOwn(of, '__name__'), {
  message: 'a metric has its own name',
  path: ['__name__'],
});
const count = z
  .string()
  .regex(/^[1-9][\d_]*$/, 'must be a whole number, at least 1')
  .transform((digits) => Number(digits.replaceAll('_', '')));
/** As YAML 1.1 has them. */
const flag = z.stringbool({
  truthy: ['true', 'yes', 'on', 'y'],
  falsy: ['false', 'no', 'off', 'n'],
  error: 'must be true or false',
});
const only = <T extends z.ZodType>(item: T, what: string) =>
  z.array(item).length(1, `must have exactly one ${what}: a relay has no more`);

const scrapeConfig = z.object({
  job_name: text.refine((name) => name !== '', 'must not be empty'),
  scrape_interval: duration.optional(),
  scrape_timeout: duration.optional(),
  metrics_path: z.string().startsWith('/').default('/metrics'),
  scheme: z.enum(['http', 'https']).default('http'),
  params: z.record(z.string(), z.array(text)).default({}),
  honor_labels: flag.default(false),
  honor_timestamps: flag.default(true),
  static_configs: only(z.object({ targets: only(z.string(), 'target'), labels: labels.default({}) }), 'entry'),
});

const remoteWrite = z.object({
  url: z.string(),
  name: text.optional(),
  protobuf_message: z
    .enum(['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'])
    .default('prometheus.WriteRequest'),
  send_exemplars: flag.default(false),
  remote_timeout: duration.default(30_000),
  headers: z.record(z.string(), text).default({}),
  basic_auth: z.object({ username: text, password: text.optional(), password_file: z.string().optional() }).optional(),
  authorization: z
    .object({
      type: z.string().default('Bearer'),
      credentials: text.optional(),
      credentials_file: z.string().optional(),
    })
    .optional(),
  bearer_token: text.optional(),
  bearer_token_file: z.string().optional(),
  metadata_config: z
    .object({
      send: flag.default(true),
      send_interval: duration.default(60_000),
      max_samples_per_send: count.default(2_000),
    })
    .prefault({}),
  queue_config: z
    .object({
      capacity: count.optional(),
      max_samples_per_send: count.default(MAX_PER_REQUEST),
      batch_send_deadline: duration.default(5_000),
      min_backoff: duration.default(30),
      max_backoff: duration.default(5_000),
      retry_on_http_429: flag.default(true),
      sample_age_limit: z.union([z.enum(['0', '0s']).transform(() => 0), duration]).default(0),
    })
    .prefault({}),
});

const schema = z.object({
  global: z
    .object({
      scrape_interval: duration.default(60_000),
      scrape_timeout: duration.optional(),
      external_labels: externalLabels.default({}),
    })
    .prefault({}),
  scrape_configs: only(scrapeConfig, 'entry'),
  remote_write: only(remoteWrite, 'entry'),
});

/** @throws SettingsError */
export function readConfigFile(path: string): { settings: RelaySettings; warnings: string[] } {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingsError((error as Error).message);
  }
  return parseConfig(content, path);
}

/**
 * @param path for messages.
 * @throws SettingsError
 */
export function parseConfig(content: string, path: string): { settings: RelaySettings; warnings: string[] } {
  const lines = new LineCounter();
  // All scalars as they are written: `e2` may be a name, `no` a label's value, and only the key knows.
  const document = parseDocument(content, {
    version: '1.1',
    schema: 'failsafe',
    merge: true,
    prettyErrors: false,
    lineCounter: lines,
  });
  const [broken] = document.errors;
  if (broken !== undefined) throw new SettingsError(`${path}:${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
  // A key with nothing behind it, as in Prometheus: what is left when all below it is commented out.
  visit(document, {
    Pair: (_, { value }) => (value === null || (isScalar(value) && isNull(value)) ? visit.REMOVE : undefined),
  });
  const say = (at: readonly PropertyKey[], message: string) => {
    // The nearest place that exists: what is missing has none.
    let offset: number | undefined;
    for (let depth = at.length; depth > 0 && offset === undefined; depth--) {
      const node = document.getIn(at.slice(0, depth), true);
      if (isNode(node)) offset = node.range?.[0];
    }
    const place = offset === undefined ? path : `${path}:${lines.linePos(offset).line}`;
    return `${place}: ${at.length === 0 ? '' : `${pathText(at)}: `}${message}`;
  };
  let root: unknown;
  try {
    root = document.toJS();
  } catch (error) {
    throw new SettingsError(`${path}: ${(error as Error).message}`);
  }
  const result = schema.safeParse(root ?? {});
  if (!result.success) {
    throw new SettingsError(result.error.issues.map((issue) => say(issue.path, messageOf(issue))).join('\n'));
  }
  const warnings = unknownKeys(schema, root).map((at) => say(at, 'a relay has no such setting: ignored'));
  if (result.data.remote_write[0]!.queue_config.max_samples_per_send > MAX_PER_REQUEST) {
    const at = ['remote_write', 0, 'queue_config', 'max_samples_per_send'];
    warnings.push(say(at, `a relay sends no more than ${MAX_PER_REQUEST} at once: ${MAX_PER_REQUEST} is taken`));
  }
  return { settings: toSettings(result.data, say), warnings };
}

function toSettings(
  { global, scrape_configs, remote_write }: z.output<typeof schema>,
  say: (at: readonly PropertyKey[], message: string) => string,
): RelaySettings {
  const problem = (at: readonly PropertyKey[], message: string) => new SettingsError(say(at, message));
  const scrape = scrape_configs[0]!;
  const write = remote_write[0]!;
  const { targets, labels: ownLabels } = scrape.static_configs[0]!;
  const intervalMs = scrape.scrape_interval ?? global.scrape_interval;
  const holdWithin = (at: readonly PropertyKey[], timeoutMs: number | undefined, limitMs: number) => {
    if (timeoutMs !== undefined && timeoutMs > limitMs) throw problem(at, 'is longer than scrape_interval');
  };
  holdWithin(['global', 'scrape_timeout'], global.scrape_timeout, global.scrape_interval);
  holdWithin(['scrape_configs', 0, 'scrape_timeout'], scrape.scrape_timeout, intervalMs);
  const address = targets[0]!;
  const url = URL.parse(`${scrape.scheme}://${address}${scrape.metrics_path}`);
  if (url === null || address === '' || /[/@?#\s]/.test(address)) {
    throw problem(['scrape_configs', 0, 'static_configs', 0, 'targets', 0], 'must be host:port');
  }
  for (const [name, values] of Object.entries(scrape.params)) {
    for (const value of values) url.searchParams.append(name, value);
  }
  const targetLabels = { job: scrape.job_name, instance: address, ...ownLabels };
  const queue = write.queue_config;
  return {
    endpointPlace: say(['remote_write', 0], '').replace(/: $/, ''),
    target: {
      url,
      labels: { labels: filled(targetLabels), honorsPage: scrape.honor_labels },
      honorsTimestamps: scrape.honor_timestamps,
      intervalMs,
      // The global one is for many targets, so that a shorter interval of one is no contradiction.
      timeoutMs: scrape.scrape_timeout ?? Math.min(global.scrape_timeout ?? DEFAULT_TIMEOUT_MS, intervalMs),
      accept: DEFAULT_ACCEPT,
      maxBytes: DEFAULT_MAX_BYTES,
    },
    endpoint: {
      url: write.url,
      ...(write.name !== undefined && { name: write.name }),
      // Prometheus' file means 2.0; its specification lets a sender fall back when it is told 415.
      protocol: write.protobuf_message === 'prometheus.WriteRequest' ? '1.0' : 'prefer_2.0',
      sendExemplars: write.send_exemplars,
      timeoutMs: write.remote_timeout,
      headers: write.headers,
      externalLabels: filled(global.external_labels),
      minBackoffMs: queue.min_backoff,
      maxBackoffMs: queue.max_backoff,
      retryOn429: queue.retry_on_http_429,
      sampleAgeLimitMs: queue.sample_age_limit,
      metadata: {
        send: write.metadata_config.send,
        sendIntervalMs: write.metadata_config.send_interval,
        maxPerSend: write.metadata_config.max_samples_per_send,
      },
      queue: {
        ...(queue.capacity !== undefined && { capacity: queue.capacity }),
        maxSamplesPerSend: Math.min(queue.max_samples_per_send, MAX_PER_REQUEST),
        batchSendDeadlineMs: queue.batch_send_deadline,
      },
      ...authorization(write, (key) =>
        problem(['remote_write', 0, key], 'needs a secret or a file, and only one of them'),
      ),
    },
  };
}

function authorization(
  { basic_auth, authorization: scheme, bearer_token, bearer_token_file }: z.output<typeof remoteWrite>,
  problem: (key: string) => SettingsError,
): Pick<RemoteWriteOptions, 'basicAuth' | 'authorization' | 'bearerToken'> {
  const secret = (key: string, inline: string | undefined, file: string | undefined): Secret => {
    if (inline !== undefined && file === undefined) return inline;
    if (inline === undefined && file !== undefined) return { file };
    throw problem(key);
  };
  return {
    ...(basic_auth && {
      basicAuth: {
        username: basic_auth.username,
        password: secret('basic_auth', basic_auth.password, basic_auth.password_file),
      },
    }),
    ...(scheme && {
      authorization: {
        type: scheme.type,
        credentials: secret('authorization', scheme.credentials, scheme.credentials_file),
      },
    }),
    ...((bearer_token ?? bearer_token_file) !== undefined && {
      bearerToken: secret('bearer_token', bearer_token, bearer_token_file),
    }),
  };
}

function isNull({ type, value, tag }: Scalar): boolean {
  return type === 'PLAIN' && tag === undefined && /^(|~|null|Null|NULL)$/.test(String(value));
}

function filled(of: Record<string, string>): LabelPair[] {
  return Object.entries(of).filter(([, value]) => value !== '');
}

/** Where the value has keys that the schema doesn't know. */
function unknownKeys(of: z.ZodType, value: unknown, at: readonly PropertyKey[] = []): PropertyKey[][] {
  const type = unwrapped(of);
  if (type instanceof z.ZodArray && Array.isArray(value)) {
    return value.flatMap((item, i) => unknownKeys(type.element as z.ZodType, item, [...at, i]));
  }
  if (!(type instanceof z.ZodObject) || typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, held]) =>
    Object.hasOwn(type.shape, key) ? unknownKeys(type.shape[key], held, [...at, key]) : [[...at, key]],
  );
}

function unwrapped(type: z.ZodType): z.ZodType {
  const wraps = type instanceof z.ZodOptional || type instanceof z.ZodDefault || type instanceof z.ZodPrefault;
  return wraps ? unwrapped(type.unwrap() as z.ZodType) : type;
}

function messageOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_type' && issue.input === undefined ? 'is missing or of the wrong kind' : issue.message;
}

function pathText(at: readonly PropertyKey[]): string {
  return at
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`))
    .join('');
}
