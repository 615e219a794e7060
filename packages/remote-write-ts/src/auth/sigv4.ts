// AWS Signature Version 4, as Amazon's managed Prometheus wants it. Source: AWS, "Create a signed AWS API request".

import { createHash, createHmac } from 'node:crypto';
import { SenderError } from '../errors/index.ts';
import { checkKeys, keysOf } from '../transport/index.ts';
import type { Authorizer } from './authorizer.ts';
import { type Secret, secretReader } from './secret.ts';

export interface SigV4Options {
  region: string;
  /** Default: `aps`, Amazon's managed Prometheus. */
  service?: string;
  /** Default: the environment's `AWS_ACCESS_KEY_ID`. */
  accessKey?: Secret;
  /** Default: the environment's `AWS_SECRET_ACCESS_KEY`. */
  secretKey?: Secret;
  /** Of temporary credentials. Default: the environment's `AWS_SESSION_TOKEN`, if the keys come from there. */
  sessionToken?: Secret;
  /** Milliseconds since the Unix epoch. Default: `Date.now`. */
  now?: () => number;
}

export interface SigV4Request {
  method: string;
  url: URL;
  /** In lower case; all of them are signed. */
  headers: Readonly<Record<string, string>>;
  payloadHash: string;
}

export interface SigV4Keys {
  accessKey: string;
  secretKey: string;
  region: string;
  service: string;
}

const KEY = /^[\x21-\x7e]+$/;

const OPTIONS = keysOf<SigV4Options>({
  region: true,
  service: true,
  accessKey: true,
  secretKey: true,
  sessionToken: true,
  now: true,
});

/** @throws SenderError `bad_auth`, `bad_option` */
export function createSigV4(options: SigV4Options): Authorizer {
  checkKeys('sigv4', options, OPTIONS);
  const { region, service = 'aps', now = Date.now } = options;
  if (typeof region !== 'string' || !KEY.test(region) || !KEY.test(service) || `${region}${service}`.includes('/')) {
    throw new SenderError('bad_auth', 'sigv4 needs a region and a service');
  }
  if ((options.accessKey === undefined) !== (options.secretKey === undefined)) {
    throw new SenderError('bad_auth', 'sigv4 needs both keys or none');
  }
  const accessKey = secretReader('sigv4.accessKey', options.accessKey ?? { env: 'AWS_ACCESS_KEY_ID' }, KEY);
  const secretKey = secretReader('sigv4.secretKey', options.secretKey ?? { env: 'AWS_SECRET_ACCESS_KEY' }, KEY);
  const isFromEnv = options.accessKey === undefined && process.env['AWS_SESSION_TOKEN'];
  const token = options.sessionToken ?? (isFromEnv ? { env: 'AWS_SESSION_TOKEN' } : undefined);
  const sessionToken = token === undefined ? undefined : secretReader('sigv4.sessionToken', token, KEY);
  return {
    waitsFor: 'the file of the keys',
    async headers({ url, body }) {
      const payloadHash = sha256(body);
      const added: Record<string, string> = { 'x-amz-date': amzDate(now()), 'x-amz-content-sha256': payloadHash };
      if (sessionToken !== undefined) added['x-amz-security-token'] = await sessionToken.read();
      const keys = { accessKey: await accessKey.read(), secretKey: await secretKey.read(), region, service };
      const request = { method: 'POST', url, headers: { host: url.host, ...added }, payloadHash };
      return { ...added, authorization: signV4(request, keys) };
    },
    secrets: () => [...secretKey.seen(), ...(sessionToken?.seen() ?? [])],
    unauthorized: () => false,
    async close() {},
  };
}

/** The Authorization header. The time is that of the header `x-amz-date`. */
export function signV4({ method, url, headers, payloadHash }: SigV4Request, keys: SigV4Keys): string {
  const names = Object.keys(headers).sort();
  const signedHeaders = names.join(';');
  const canonical = [
    method,
    canonicalPath(url.pathname),
    canonicalQuery(url.searchParams),
    ...names.map((name) => `${name}:${headers[name]!.trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders,
    payloadHash,
  ].join('\n');
  const time = headers['x-amz-date']!;
  const date = time.slice(0, 8);
  const scope = `${date}/${keys.region}/${keys.service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  let key = hmac(`AWS4${keys.secretKey}`, date);
  for (const part of [keys.region, keys.service, 'aws4_request']) key = hmac(key, part);
  const signature = hmac(key, toSign).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${keys.accessKey}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
}

// Every service but S3 encodes the path's segments once more: the URL has encoded them already.
function canonicalPath(path: string): string {
  return path.split('/').map(uriEncoded).join('/');
}

function canonicalQuery(parameters: URLSearchParams): string {
  const pairs = [...parameters].map(([name, value]) => [uriEncoded(name), uriEncoded(value)] as const);
  // By name, then by value: as one string, the `=` would take part in the order.
  pairs.sort(([a, v], [b, w]) => (a === b ? Number(v > w) - Number(v < w) : a > b ? 1 : -1));
  return pairs.map((pair) => pair.join('=')).join('&');
}

function uriEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function amzDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
