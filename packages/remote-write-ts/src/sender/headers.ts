// The headers of every request but authorization: those of the protocol and the user's own. A user's header must never be
// able to change one of the others. Source: Prometheus Remote-Write 1.0 and 2.0, "Protocol"; RFC 9110 (header syntax).

import { SenderError } from '../errors/index.ts';
import type { Protocol } from '../wire/index.ts';

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
}

export interface RequestHeaders {
  /** For either protocol. */
  headers: Readonly<Record<Protocol, Readonly<Record<string, string>>>>;
  /** What must never show up in a message, even if the receiver repeats it. */
  secrets: readonly string[];
}

/** @throws SenderError `forbidden_header`, `bad_header`. */
export function requestHeaders(options: HeaderOptions): RequestHeaders {
  const given: object = options.headers ?? {};
  if (typeof given !== 'object' || Symbol.iterator in given) {
    throw new SenderError('bad_header', 'headers is not a plain object of names and their values');
  }
  // Without a prototype: `__proto__` is a legal name, too.
  const headers: Record<string, string> = Object.create(null);
  const secrets: string[] = [];
  for (const [name, value] of Object.entries<unknown>({ ...given })) {
    const lower = name.toLowerCase();
    if (!HEADER_NAME.test(name)) throw new SenderError('bad_header', 'a header has an illegal name');
    if (FORBIDDEN_HEADERS.has(lower)) throw new SenderError('forbidden_header', `header ${lower} can't be set`);
    if (Object.hasOwn(headers, lower)) throw new SenderError('bad_header', `header ${lower} is given twice`);
    if (typeof value !== 'string') {
      const hint = value === undefined ? 'leave it out, or give a string' : 'give a string';
      throw new SenderError('bad_header', `header ${lower} has a value of the type ${typeof value}: ${hint}`);
    }
    if (!HEADER_VALUE.test(value)) throw new SenderError('bad_header', `header ${lower} has an illegal value`);
    headers[lower] = value;
    if (SECRET_NAME.test(lower)) secrets.push(value);
  }
  const userAgent: unknown = options.userAgent;
  if (typeof userAgent !== 'string' || userAgent.trim() === '') {
    throw new SenderError('bad_header', 'userAgent is missing or empty: the protocol requires one, such as shop/1.0');
  }
  if (!HEADER_VALUE.test(userAgent)) throw new SenderError('bad_header', 'userAgent has an illegal character');
  headers['content-encoding'] = 'snappy';
  headers['user-agent'] = userAgent;
  return {
    headers: {
      '1.0': {
        ...headers,
        'content-type': 'application/x-protobuf',
        'x-prometheus-remote-write-version': '0.1.0',
      },
      '2.0': {
        ...headers,
        'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
        'x-prometheus-remote-write-version': '2.0.0',
      },
    },
    secrets: secrets.filter((secret) => secret !== ''),
  };
}
