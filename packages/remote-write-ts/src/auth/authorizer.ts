// What authorizes a request, asked before each attempt. The kinds: basic, bearer or any other scheme, OAuth2, SigV4.

import { SenderError } from '../errors/index.ts';
import { createOAuth2, type OAuth2Options } from './oauth2.ts';
import { type Secret, secretReader } from './secret.ts';
import { createSigV4, type SigV4Options } from './sigv4.ts';

/** At most one kind. */
export interface AuthOptions {
  basicAuth?: { username: string; password: Secret };
  bearerToken?: Secret;
  /** Any other scheme, such as `Token`. */
  authorization?: { type: string; credentials: Secret };
  oauth2?: OAuth2Options;
  sigv4?: SigV4Options;
}

export interface AuthorizedRequest {
  url: URL;
  body: Uint8Array;
  signal: AbortSignal;
}

export interface Authorizer {
  /** The headers to add. Rejects when the credentials can't be had now: that is worth a retry. */
  headers(request: AuthorizedRequest): Promise<Readonly<Record<string, string>>>;
  /** What must never show up in a message, even if the receiver repeats it. */
  secrets(): readonly string[];
  /** The receiver answered 401: what is cached isn't good any more. */
  unauthorized(): void;
  close(): Promise<void>;
}

const TOKEN = /^[\x21-\x7e]+$/;
// Visible ASCII, space, tab and the bytes above: nothing that could end the line.
const CREDENTIALS = /^[\t\x20-\x7e\x80-\xff]+$/;
const PASSWORD = /^/;

/** @throws SenderError `bad_auth`, and what the URL or TLS of OAuth2 give. */
export function createAuthorizer(options: AuthOptions): Authorizer {
  const { basicAuth, bearerToken, authorization, oauth2, sigv4 } = options;
  const kinds = [basicAuth, bearerToken, authorization, oauth2, sigv4].filter((kind) => kind !== undefined);
  if (kinds.length > 1) throw new SenderError('bad_auth', 'only one kind of authorization can be used');
  if (basicAuth !== undefined) return basic(basicAuth.username, basicAuth.password);
  if (bearerToken !== undefined) return scheme('Bearer', 'bearerToken', bearerToken, TOKEN);
  if (authorization !== undefined) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(authorization.type) || /^basic$/i.test(authorization.type)) {
      throw new SenderError('bad_auth', 'authorization.type is illegal, or Basic: use basicAuth');
    }
    return scheme(authorization.type, 'authorization.credentials', authorization.credentials, CREDENTIALS);
  }
  if (oauth2 !== undefined) return createOAuth2(oauth2);
  if (sigv4 !== undefined) return createSigV4(sigv4);
  return { ...UNCACHED, headers: async () => ({}), secrets: () => [] };
}

const UNCACHED = { unauthorized: () => {}, close: async () => {} };

// RFC 7617.
function basic(username: string, password: Secret): Authorizer {
  if (username.includes(':')) throw new SenderError('bad_auth', 'a user name has no colon (RFC 7617)');
  const reader = secretReader('basicAuth.password', password, PASSWORD);
  const encoded = (secret: string) => Buffer.from(`${username}:${secret}`).toString('base64');
  return {
    ...UNCACHED,
    headers: async () => ({ authorization: `Basic ${encoded(await reader.read())}` }),
    secrets: () => reader.seen().flatMap((secret) => [encoded(secret), secret]),
  };
}

function scheme(type: string, name: string, credentials: Secret, legal: RegExp): Authorizer {
  const reader = secretReader(name, credentials, legal);
  return {
    ...UNCACHED,
    headers: async () => ({ authorization: `${type} ${await reader.read()}` }),
    secrets: () => reader.seen(),
  };
}
