// What authorizes a request, asked before each attempt. The kinds: basic, bearer or any other scheme, OAuth2, SigV4.

import { SenderError } from '../errors/index.ts';
import { checkKeys, keysOf } from '../transport/index.ts';
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

export type AuthorizationHeaders = Readonly<Record<string, string>>;

export interface Authorizer {
  /** Whose answer `headers` may wait for, in words. */
  readonly waitsFor: string;
  /** The headers to add. Rejects when the credentials can't be had now: that is worth a retry. */
  headers(request: AuthorizedRequest): Promise<AuthorizationHeaders>;
  /** What must never show up in a message, even if the receiver repeats it. */
  secrets(): readonly string[];
  /**
   * The receiver answered 401.
   * @param sent what `headers` gave for the request: the very object, for others may be in use by now.
   * @returns whether other credentials are to be had, so that one further attempt is worth it.
   */
  unauthorized(sent: AuthorizationHeaders): boolean;
  close(): Promise<void>;
}

const TOKEN = /^[\x21-\x7e]+$/;
// Visible ASCII, space, tab and the bytes above: nothing that could end the line.
const CREDENTIALS = /^[\t\x20-\x7e\x80-\xff]+$/;
const PASSWORD = /^/;

const BASIC_KEYS = keysOf<NonNullable<AuthOptions['basicAuth']>>({ username: true, password: true });
const SCHEME_KEYS = keysOf<NonNullable<AuthOptions['authorization']>>({ type: true, credentials: true });

/**
 * @param onWarning told when changed TLS files of an authorization server can't be used.
 * @throws SenderError `bad_auth`, `bad_option`, and what the URL or TLS of OAuth2 give.
 */
export function createAuthorizer(options: AuthOptions, onWarning?: (message: string) => void): Authorizer {
  const { basicAuth, bearerToken, authorization, oauth2, sigv4 } = options;
  const kinds = [basicAuth, bearerToken, authorization, oauth2, sigv4].filter((kind) => kind !== undefined);
  if (kinds.length > 1) throw new SenderError('bad_auth', 'only one kind of authorization can be used');
  if (basicAuth !== undefined) return basic(basicAuth);
  if (bearerToken !== undefined) return scheme('Bearer', 'bearerToken', bearerToken, TOKEN);
  if (authorization !== undefined) return otherScheme(authorization);
  if (oauth2 !== undefined) return createOAuth2(oauth2, onWarning);
  if (sigv4 !== undefined) return createSigV4(sigv4);
  return { ...UNCACHED, headers: async () => ({}), secrets: () => [] };
}

const UNCACHED = { waitsFor: 'the file of the credentials', unauthorized: () => false, close: async () => {} };

// RFC 7617.
function basic(options: NonNullable<AuthOptions['basicAuth']>): Authorizer {
  checkKeys('basicAuth', options, BASIC_KEYS);
  const { username, password } = options;
  if (typeof username !== 'string') throw new SenderError('bad_auth', 'basicAuth.username is missing: give a string');
  if (username.includes(':')) throw new SenderError('bad_auth', 'a user name has no colon (RFC 7617)');
  const reader = secretReader('basicAuth.password', password, PASSWORD);
  const encoded = (secret: string) => Buffer.from(`${username}:${secret}`).toString('base64');
  return {
    ...UNCACHED,
    headers: async () => ({ authorization: `Basic ${encoded(await reader.read())}` }),
    secrets: () => reader.seen().flatMap((secret) => [encoded(secret), secret]),
  };
}

function otherScheme(options: NonNullable<AuthOptions['authorization']>): Authorizer {
  checkKeys('authorization', options, SCHEME_KEYS);
  const { type, credentials } = options;
  if (typeof type !== 'string' || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(type) || /^basic$/i.test(type)) {
    throw new SenderError('bad_auth', 'authorization.type is missing, illegal, or Basic: for that there is basicAuth');
  }
  return scheme(type, 'authorization.credentials', credentials, CREDENTIALS);
}

function scheme(type: string, name: string, credentials: Secret, legal: RegExp): Authorizer {
  const reader = secretReader(name, credentials, legal);
  return {
    ...UNCACHED,
    headers: async () => ({ authorization: `${type} ${await reader.read()}` }),
    secrets: () => reader.seen(),
  };
}
