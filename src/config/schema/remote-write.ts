// `storage.remote_write[]`: the keys of Prometheus' `remote_write` (Prometheus configuration reference). What would change
// samples, labels, authentication or TLS and isn't built is refused; it is never ignored.

import { z } from 'zod';
import { compileWholeRegex } from '../regex.ts';
import { shownUrl } from '../shown-url.ts';
import { RELABEL_ACTIONS } from '../tenant.ts';
import { block, duration, flag, ignored, integer, keyInfo, refused, secret, text } from './keys.ts';

const ASSUMED = 'no role is assumed and no profile read: give keys, or set the environment';
const FILES = 'there is no secret manager here: use the key that ends in _file';
const PROXY = 'put a proxy that adds the token before the receiver';

/** Headers that the protocol or another key owns (Prometheus refuses the same). */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'host',
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'accept-encoding',
  'x-prometheus-remote-write-version',
  'x-prometheus-remote-read-version',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
  // Of the connection, and the sender's own.
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'retry-attempt',
]);

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Headers with secret values. `allowed` names reserved ones that may be set at this place. */
export function headerMap(about: string, allowed: readonly string[] = []) {
  return z
    .record(z.string(), z.string().register(keyInfo, { secret: true }))
    .superRefine((headers, context) => {
      for (const [name, value] of Object.entries(headers)) {
        const lower = name.toLowerCase();
        const fail = (message: string) => context.addIssue({ code: 'custom', path: [name], message });
        if (!HEADER_NAME.test(name)) fail('is no name of an HTTP header');
        else if (RESERVED_HEADERS.has(lower) && !allowed.includes(lower)) {
          fail(
            lower === 'authorization'
              ? 'use authorization, basic_auth or bearer_token'
              : 'this header belongs to the protocol',
          );
        }
        if (/[\r\n\0]/.test(value)) fail("a header's value is one line");
        else if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) fail("a header's value is printable ASCII or Latin-1");
        if (value === '<secret>' || value === '********')
          fail('the value is a mask that was printed in place of the secret');
      }
    })
    .describe(about);
}

const relabelRule = block('One relabelling rule.', {
  source_labels: z.array(z.string()).prefault([]).describe('Labels whose values are joined.'),
  separator: text('What joins them.').prefault(';'),
  regex: text('RE2, anchored at both ends.').prefault('(.*)'),
  modulus: integer('For hashmod.').prefault(0),
  target_label: text('The label that is written.').prefault(''),
  replacement: text('With $1 for groups.').prefault('$1'),
  action: z
    .string()
    .prefault('replace')
    .transform((written) => written.toLowerCase())
    .pipe(z.enum(RELABEL_ACTIONS))
    .describe('What the rule does.'),
}).superRefine((rule, context) => {
  const fail = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  try {
    compileWholeRegex(rule.regex);
  } catch (error) {
    fail('regex', (error as Error).message);
  }
  if (rule.action === 'hashmod' && rule.modulus === 0) fail('modulus', 'hashmod needs a modulus above 0');
  // Prometheus reads only these of a rule that drops labels by name: others would be silently without effect.
  if (rule.action === 'labeldrop' || rule.action === 'labelkeep') {
    if (rule.sourceLabels.length > 0) fail('source_labels', `the action ${rule.action} takes only a regex`);
    if (rule.targetLabel !== '') fail('target_label', `the action ${rule.action} takes only a regex`);
  }
  const isEqual = rule.action === 'keepequal' || rule.action === 'dropequal';
  if (isEqual && (rule.regex !== '(.*)' || rule.replacement !== '$1'))
    fail('action', `the action ${rule.action} takes only source_labels and a target_label`);
  const isName = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(rule.targetLabel);
  if (['hashmod', 'lowercase', 'uppercase'].includes(rule.action) && rule.targetLabel !== '' && !isName)
    fail('target_label', `"${rule.targetLabel}" is no name of a label`);
  const needsTarget = ['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal'].includes(rule.action);
  if (needsTarget && rule.targetLabel === '') fail('target_label', `the action ${rule.action} needs a target_label`);
});

const basicAuth = block('HTTP basic authentication.', {
  username: text('User.').optional(),
  username_file: text('File that holds the user.').optional(),
  username_ref: refused(FILES),
  password: secret('Password.').optional(),
  password_file: text('File that holds the password.').optional(),
  password_ref: refused(FILES),
})
  .refine((value) => value.username === undefined || value.usernameFile === undefined, {
    error: 'use one of username and username_file',
  })
  .refine((value) => value.password === undefined || value.passwordFile === undefined, {
    error: 'use one of password and password_file',
  });

const authorization = block('The Authorization header.', {
  type: z
    .string()
    .refine((type) => type.toLowerCase() !== 'basic', { error: 'use basic_auth' })
    .prefault('Bearer')
    .describe('Scheme.'),
  credentials: secret('Credentials.').optional(),
  credentials_file: text('File that holds them, read for each request.').optional(),
  credentials_ref: refused(FILES),
}).refine((value) => value.credentials === undefined || value.credentialsFile === undefined, {
  error: 'use one of credentials and credentials_file',
});

const TLS_VERSIONS = ['TLS10', 'TLS11', 'TLS12', 'TLS13'] as const;

interface TlsSources {
  ca?: string | undefined;
  caFile?: string | undefined;
  cert?: string | undefined;
  certFile?: string | undefined;
  key?: string | undefined;
  keyFile?: string | undefined;
}

/** Each part of a TLS block comes inline or from a file. */
export function onlyOneSource(
  tls: TlsSources,
  context: { addIssue(issue: { code: 'custom'; message: string }): void },
): void {
  for (const [inline, file, names] of [
    [tls.ca, tls.caFile, 'ca and ca_file'],
    [tls.cert, tls.certFile, 'cert and cert_file'],
    [tls.key, tls.keyFile, 'key and key_file'],
  ] as const) {
    if (inline !== undefined && file !== undefined)
      context.addIssue({ code: 'custom', message: `use one of ${names}` });
  }
  if (((tls.cert ?? tls.certFile) === undefined) !== ((tls.key ?? tls.keyFile) === undefined)) {
    context.addIssue({ code: 'custom', message: 'a client certificate and its key go together' });
  }
}

const tlsConfig = block('TLS towards the receiver.', {
  ca: text('CA certificates (PEM).').optional(),
  ca_file: text('File with CA certificates.').optional(),
  ca_ref: refused(FILES),
  cert: text('Client certificate (PEM).').optional(),
  cert_file: text('File with the client certificate.').optional(),
  cert_ref: refused(FILES),
  key: secret('Client key (PEM).').optional(),
  key_file: text('File with the client key.').optional(),
  key_ref: refused(FILES),
  server_name: text('Name expected in the certificate.').optional(),
  insecure_skip_verify: flag('Accepts any certificate.').prefault(false),
  min_version: z.enum(TLS_VERSIONS).prefault('TLS12').describe('Lowest TLS version.'),
  max_version: z.enum(TLS_VERSIONS).optional().describe('Highest TLS version.'),
})
  .superRefine(onlyOneSource)
  .refine(({ minVersion, maxVersion }) => maxVersion === undefined || minVersion <= maxVersion, {
    error: 'min_version is above max_version',
  });

const secretHeader = z.string().register(keyInfo, { secret: true });

const PROXY_KEYS = {
  proxy_url: secret('Proxy that requests go through, http or https; may hold credentials.')
    .refine((written) => written === '' || /^https?:$/.test(URL.parse(written)?.protocol ?? ''), {
      error: 'must begin with http:// or https://',
    })
    .prefault(''),
  no_proxy: text('Hosts that need no proxy, with commas.').prefault(''),
  proxy_from_environment: flag('The proxy is what HTTP_PROXY, HTTPS_PROXY and NO_PROXY say.').prefault(false),
  proxy_connect_header: z
    .record(z.string(), z.array(secretHeader).length(1, 'one value for each header'))
    .prefault({})
    .describe('More headers for the proxy, with a list of one value each.'),
};

interface ProxyKeys {
  proxyUrl: string;
  noProxy: string;
  proxyFromEnvironment: boolean;
  proxyConnectHeader: Record<string, string[]>;
}

function onlyOneProxy(
  value: ProxyKeys,
  context: { addIssue(issue: { code: 'custom'; path?: PropertyKey[]; message: string }): void },
): void {
  const fail = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  if (value.proxyFromEnvironment && value.proxyUrl !== '')
    fail('proxy_from_environment', 'use one of proxy_url and proxy_from_environment');
  if (value.proxyFromEnvironment && value.noProxy !== '') fail('no_proxy', 'with proxy_from_environment, set NO_PROXY');
  if (value.noProxy !== '' && value.proxyUrl === '' && !value.proxyFromEnvironment)
    fail('no_proxy', 'there is no proxy_url');
  if (Object.keys(value.proxyConnectHeader).length > 0 && value.proxyUrl === '')
    fail('proxy_connect_header', 'there is no proxy_url');
}

const JWT = 'only the grant client_credentials is built';

const oauth2 = block('OAuth 2.0 with client credentials.', {
  client_id: z.string().min(1).describe('Client.'),
  client_secret: secret('Its secret.').optional(),
  client_secret_file: text('File that holds the secret.').optional(),
  client_secret_ref: refused(FILES),
  token_url: z
    .string()
    .refine((written) => /^https?:$/.test(URL.parse(written)?.protocol ?? ''), {
      error: 'must begin with http:// or https://',
    })
    .describe('Where tokens come from.'),
  scopes: z.array(z.string()).prefault([]).describe('Scopes that are asked for.'),
  endpoint_params: z
    .record(z.string(), z.string())
    .prefault({})
    .describe('More parameters of the request for a token.'),
  tls_config: tlsConfig.optional(),
  ...PROXY_KEYS,
  grant_type: refused(JWT, ['', 'client_credentials']),
  client_certificate_key: refused(JWT),
  client_certificate_key_file: refused(JWT),
  client_certificate_key_id: refused(JWT),
  signature_algorithm: refused(JWT, ['RS256']),
  iss: refused(JWT, ['']),
  audience: refused(JWT, ['']),
  claims: refused(JWT),
})
  .superRefine(onlyOneProxy)
  .refine((value) => (value.clientSecret === undefined) !== (value.clientSecretFile === undefined), {
    error: 'needs client_secret or client_secret_file',
  });

const sigv4 = block('Requests signed for AWS.', {
  region: text('Region; empty = AWS_REGION.').prefault(''),
  access_key: text('Access key; without keys, those of the environment.').optional(),
  secret_key: secret('Secret key.').optional(),
  service_name: text('Service that the signature is for.').prefault('aps'),
  profile: refused(ASSUMED, ['']),
  role_arn: refused(ASSUMED, ['']),
  external_id: refused(ASSUMED, ['']),
  use_fips_sts_endpoint: ignored('no role is assumed', [false]),
}).refine((value) => (value.accessKey === undefined) === (value.secretKey === undefined), {
  error: 'access_key and secret_key go together',
});

const httpHeaders = z
  .record(
    z.string(),
    block('One header.', {
      values: z.array(z.string()).prefault([]).describe('Its value.'),
      secrets: z.array(secretHeader).prefault([]).describe('Its value, a secret.'),
      files: z.array(z.string()).prefault([]).describe('File that holds its value.'),
    }).refine(({ values, secrets, files }) => values.length + secrets.length + files.length === 1, {
      error: 'needs one value: in values, secrets or files',
    }),
  )
  .superRefine((headers, context) => {
    for (const name of Object.keys(headers)) {
      const fail = (message: string) => context.addIssue({ code: 'custom', path: [name], message });
      if (!HEADER_NAME.test(name)) fail('is no name of an HTTP header');
      else if (RESERVED_HEADERS.has(name.toLowerCase())) fail('this header belongs to the protocol');
    }
  })
  .describe('Headers of every request, some of them secret.');

const queueConfig = block('How samples are sent.', {
  capacity: ignored('there is no queue in memory: the ledger is the queue', [10_000]),
  max_samples_per_send: integer('Samples in one request at most.', { min: 1 }).prefault(2000),
  max_shards: integer('Requests in parallel at most, for each tenant and shard; more than 4 are 4.', {
    min: 1,
  }).prefault(50),
  min_shards: ignored('requests go out as they are needed', [1]),
  batch_send_deadline: ignored('a boundary is sent at once', ['5s']),
  min_backoff: duration('First pause after a failure.', { minMs: 1 }).prefault('30ms'),
  max_backoff: duration('Longest pause.', { minMs: 1 }).prefault('5s'),
  retry_on_http_429: ignored('a 429 is always retried', [true]),
  sample_age_limit: duration('Samples older than this are given up; 0 = never.').prefault('0s'),
  max_retries: refused('Prometheus removed it: use sample_age_limit'),
}).refine((value) => value.minBackoff <= value.maxBackoff, { error: 'min_backoff is longer than max_backoff' });

const receiverUrl = z
  .string()
  .superRefine((written, context) => {
    const fail = (message: string) => context.addIssue({ code: 'custom', message });
    if (!URL.canParse(written)) return fail('is no URL');
    const url = new URL(written);
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      fail(`${shownUrl(written)} must begin with http:// or https://`);
    else if (url.username !== '' || url.password !== '')
      fail('put user and password into basic_auth, not into the URL');
  })
  .describe('Where samples are posted, exactly as written.');

const endpoint = block('One receiver.', {
  url: receiverUrl,
  name: text('Name in the own metrics and in the ledger; unique. Without one it is made from the URL.').optional(),
  remote_timeout: duration('Time for one attempt.', { minMs: 1 }).prefault('30s'),
  headers: headerMap('Headers of every request.').prefault({}),
  basic_auth: basicAuth.optional(),
  authorization: authorization.optional(),
  bearer_token: secret('Older spelling of authorization.credentials.').optional(),
  bearer_token_file: text('Older spelling of authorization.credentials_file.').optional(),
  tls_config: tlsConfig.optional(),
  follow_redirects: flag('Follows HTTP redirects.').prefault(true),
  send_exemplars: flag('Sends exemplars too.').prefault(true),
  queue_config: queueConfig.prefault({}),
  write_relabel_configs: z
    .array(relabelRule)
    .prefault([])
    .describe('Relabelling of series before they are sent, in order.'),
  protobuf_message: z
    .enum(['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'])
    .prefault('prometheus.WriteRequest')
    .describe(
      'Version of the protocol: 1.0, or 2.0 with start timestamps, falling back to 1.0 where the receiver does not understand it.',
    ),
  send_native_histograms: ignored('generate_native_histograms in the overrides decides'),
  enable_http2: ignored('requests use HTTP/1.1', [false]),
  round_robin_dns: ignored('connections are kept', [false]),
  metadata_config: ignored('types go with each series of 2.0; with 1.0 there is no metadata to send'),
  oauth2: oauth2.optional(),
  sigv4: sigv4.optional(),
  azuread: refused(PROXY),
  google_iam: refused(PROXY),
  http_headers: httpHeaders.prefault({}),
  ...PROXY_KEYS,
})
  .superRefine(onlyOneProxy)
  .superRefine((value, context) => {
    for (const name of Object.keys(value.httpHeaders)) {
      if (Object.keys(value.headers).some((other) => other.toLowerCase() === name.toLowerCase()))
        context.addIssue({ code: 'custom', path: ['http_headers', name], message: 'is in headers, too' });
    }
  })
  .superRefine((value, context) => {
    const used = [
      ['basic_auth', value.basicAuth],
      ['authorization', value.authorization],
      ['bearer_token', value.bearerToken],
      ['bearer_token_file', value.bearerTokenFile],
      ['oauth2', value.oauth2],
      ['sigv4', value.sigv4],
    ].filter(([, held]) => held !== undefined);
    if (used.length > 1) {
      context.addIssue({
        code: 'custom',
        message: `use one way to authenticate, not ${used.map(([name]) => name).join(' and ')}`,
      });
    }
  });

export const remoteWrite = z
  .array(endpoint)
  .describe("Receivers, with the keys of Prometheus' remote_write. An empty list sends nothing.")
  .superRefine((endpoints, context) => {
    const seen = new Set<string>();
    endpoints.forEach((one, index) => {
      const name = one.name ?? one.url;
      if (seen.has(name)) {
        context.addIssue({
          code: 'custom',
          path: [index],
          message: `${one.name ?? shownUrl(one.url)} is there twice: give each receiver its own name`,
        });
      }
      seen.add(name);
    });
  });
