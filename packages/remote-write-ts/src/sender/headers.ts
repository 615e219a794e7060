// The headers of every request: those of the protocol, authorization, and the user's own. A user's header must never be
// able to change one of the others. Source: Prometheus Remote-Write 1.0, "Protocol"; RFC 9110 (header syntax), RFC 7617.

import { SenderError } from './errors.ts';

/** Headers that can't be given in `headers`, in lower case. Authorization has options of its own. */
export const FORBIDDEN_HEADERS: ReadonlySet<string> = new Set([
  // what the protocol says
  'content-encoding',
  'content-type',
  'user-agent',
  'x-prometheus-remote-write-version',
  'x-prometheus-remote-read-version',
  // what the sender or its connection sets
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'retry-attempt',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // credentials
  'authorization',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-security-token',
]);

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// Visible ASCII, space, tab and the bytes above: nothing that could end the line.
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const SECRET_NAME = /key|token|secret|auth|cookie|password/i;

export interface HeaderOptions {
  userAgent: string;
  headers?: Readonly<Record<string, string>> | undefined;
  basicAuth?: { username: string; password: string } | undefined;
  bearerToken?: string | undefined;
}

export interface RequestHeaders {
  headers: Readonly<Record<string, string>>;
  /** What must never show up in a message, even if the receiver repeats it. */
  secrets: readonly string[];
}

/** @throws SenderError `forbidden_header`, `bad_header`, `bad_auth`. */
export function requestHeaders(options: HeaderOptions): RequestHeaders {
  const headers: Record<string, string> = {};
  const secrets: string[] = [];
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    const lower = name.toLowerCase();
    if (!HEADER_NAME.test(name)) throw new SenderError('bad_header', 'a header has an illegal name');
    if (FORBIDDEN_HEADERS.has(lower)) throw new SenderError('forbidden_header', `header ${lower} can't be set`);
    if (Object.hasOwn(headers, lower)) throw new SenderError('bad_header', `header ${lower} is given twice`);
    if (!HEADER_VALUE.test(value)) throw new SenderError('bad_header', `header ${lower} has an illegal value`);
    headers[lower] = value;
    if (SECRET_NAME.test(lower)) secrets.push(value);
  }
  if (options.userAgent === '' || !HEADER_VALUE.test(options.userAgent)) {
    throw new SenderError('bad_header', 'userAgent is empty or illegal');
  }
  const authorization = authorizationHeader(options, secrets);
  if (authorization !== undefined) headers['authorization'] = authorization;
  headers['content-encoding'] = 'snappy';
  headers['content-type'] = 'application/x-protobuf';
  headers['x-prometheus-remote-write-version'] = '0.1.0';
  headers['user-agent'] = options.userAgent;
  return { headers, secrets: secrets.filter((secret) => secret !== '') };
}

function authorizationHeader(options: HeaderOptions, secrets: string[]): string | undefined {
  const { basicAuth, bearerToken } = options;
  if (basicAuth !== undefined && bearerToken !== undefined) {
    throw new SenderError('bad_auth', 'basicAuth and bearerToken exclude each other');
  }
  if (basicAuth !== undefined) {
    if (basicAuth.username.includes(':')) throw new SenderError('bad_auth', 'a user name has no colon (RFC 7617)');
    const credentials = Buffer.from(`${basicAuth.username}:${basicAuth.password}`).toString('base64');
    secrets.push(credentials, basicAuth.password);
    return `Basic ${credentials}`;
  }
  if (bearerToken !== undefined) {
    if (!/^[\x21-\x7e]+$/.test(bearerToken)) throw new SenderError('bad_auth', 'bearerToken is empty or illegal');
    secrets.push(bearerToken);
    return `Bearer ${bearerToken}`;
  }
  return undefined;
}
