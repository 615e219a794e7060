// OAuth2 client credentials: a token from an authorization server, kept until shortly before it ends. Source: RFC 6749,
// sections 2.3.1 (client password), 4.4 (client credentials) and 5 (the answers).

import { SenderError } from '../errors/index.ts';
import {
  checkKeys,
  createPoolTransport,
  keysOf,
  type ProxyOptions,
  proxyFor,
  type TlsOptions,
  type Transport,
  type TransportResponse,
} from '../transport/index.ts';
import type { AuthorizationHeaders, Authorizer } from './authorizer.ts';
import { type Secret, secretReader } from './secret.ts';

export interface OAuth2Options {
  tokenUrl: string;
  clientId: string;
  clientSecret: Secret;
  scopes?: readonly string[];
  /** Further parameters of the token request, such as `audience`. */
  endpointParams?: Readonly<Record<string, string>>;
  /** Where the client's secret goes: into the Authorization header, or among the parameters. Default: `header`. */
  clientAuth?: 'header' | 'body';
  /** Of the token server. */
  tls?: TlsOptions;
  proxy?: ProxyOptions;
  /** Milliseconds since the Unix epoch. Default: `Date.now`. */
  now?: () => number;
}

/** A token isn't used in its last seconds: it may end on the way. Of one that lives less than twice as long, half is used. */
const SPARED_MS = 10_000;
/** Tokens that answers to requests under way may still repeat. */
const REMEMBERED = 8;
const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const LEGAL = /^[\x20-\x7e]+$/;

interface Token {
  text: string;
  endsMs: number;
}

interface Use {
  token: Token;
  /** Fetched for this very request: a refusal isn't for its age. */
  isFresh: boolean;
}

const KEYS = keysOf<OAuth2Options>({
  tokenUrl: true,
  clientId: true,
  clientSecret: true,
  scopes: true,
  endpointParams: true,
  clientAuth: true,
  tls: true,
  proxy: true,
  now: true,
});

/**
 * @param onWarning told when changed TLS files can't be used.
 * @throws SenderError `bad_auth`, `bad_url`, `bad_tls`, `bad_proxy`, `bad_option`
 */
export function createOAuth2(options: OAuth2Options, onWarning?: (message: string) => void): Authorizer {
  checkKeys('oauth2', options, KEYS);
  const { clientId, scopes = [], endpointParams = {}, clientAuth = 'header', now = Date.now } = options;
  const url = tokenUrl(options.tokenUrl);
  checkParameters({ clientId, scopes, endpointParams, clientAuth });
  const clientSecret = secretReader('oauth2.clientSecret', options.clientSecret, LEGAL);
  const transport: Transport = createPoolTransport({
    origin: url.origin,
    connections: 1,
    connectTimeoutMs: TIMEOUT_MS,
    keptBytes: MAX_ANSWER_BYTES,
    tls: options.tls,
    proxy: options.proxy,
    onWarning,
    owner: 'oauth2',
  });
  const proxySecrets = proxyFor(url, options.proxy)?.secrets ?? [];
  let token: Token | undefined;
  let latest: readonly Token[] = [];
  const uses = new WeakMap<AuthorizationHeaders, Use>();
  let underWay: Promise<Token> | undefined;

  async function fetchToken(): Promise<Token> {
    const secret = await clientSecret.read();
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...endpointParams });
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    const headers: Record<string, string> = {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    };
    if (clientAuth === 'header') headers['authorization'] = `Basic ${clientCredentials(clientId, secret)}`;
    else {
      form.set('client_id', clientId);
      form.set('client_secret', secret);
    }
    const path = url.pathname + url.search;
    const response = await asked(transport, path, headers, Buffer.from(form.toString()));
    // The answer stays out of the messages: it may hold a token.
    if (response.status !== 200) throw new Error(`the token server answered ${response.status}`);
    return parsedToken(response.text, now());
  }

  function keep(fetched: Token): Token {
    token = fetched;
    latest = [fetched, ...latest].slice(0, REMEMBERED);
    return fetched;
  }

  async function currentToken(): Promise<Use> {
    if (token !== undefined && now() < token.endsMs) return { token, isFresh: false };
    underWay ??= fetchToken()
      .then(keep)
      .finally(() => {
        underWay = undefined;
      });
    return { token: await underWay, isFresh: true };
  }

  return {
    waitsFor: 'the token server',
    async headers({ signal }) {
      // The token is for all requests: one that gives up doesn't end the others' wait.
      const use = await untilAborted(currentToken(), signal);
      const headers = { authorization: `Bearer ${use.token.text}` };
      uses.set(headers, use);
      return headers;
    },
    secrets() {
      const secrets = clientSecret.seen();
      const tokens = latest.map(({ text }) => text);
      return [...proxySecrets, ...tokens, ...secrets, ...secrets.map((secret) => clientCredentials(clientId, secret))];
    },
    // Two requests with one token, both refused: the first answer ends the token, and the second, which may come after the
    // next token, must leave that one alone.
    unauthorized(sent) {
      const use = uses.get(sent);
      if (use === undefined) return false;
      use.token.endsMs = 0;
      return !use.isFresh || use.token !== token;
    },
    close: () => transport.close(),
  };
}

function tokenUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new SenderError('bad_url', 'oauth2.tokenUrl is not an absolute http or https URL without credentials');
  }
  return url;
}

function checkParameters(given: Record<'clientId' | 'scopes' | 'endpointParams' | 'clientAuth', unknown>): void {
  const { clientId, scopes, endpointParams, clientAuth } = given;
  const isText = (value: unknown) => typeof value === 'string';
  if (!isText(clientId) || !LEGAL.test(clientId)) {
    throw new SenderError('bad_auth', 'oauth2.clientId is missing, empty or illegal');
  }
  if (!Array.isArray(scopes) || !scopes.every(isText)) {
    throw new SenderError('bad_auth', 'oauth2.scopes is not a list of strings');
  }
  if (typeof endpointParams !== 'object' || endpointParams === null || !Object.values(endpointParams).every(isText)) {
    throw new SenderError('bad_auth', 'oauth2.endpointParams is not an object of strings');
  }
  if (clientAuth !== 'header' && clientAuth !== 'body') {
    throw new SenderError('bad_auth', "oauth2.clientAuth is neither 'header' nor 'body'");
  }
}

async function asked(
  transport: Transport,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): Promise<TransportResponse> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    return await transport.post({ path, headers, body, signal });
  } catch (cause) {
    if (signal.aborted) throw new Error(`no answer from the token server within ${TIMEOUT_MS} ms`, { cause });
    // An AggregateError (several addresses tried) has a code but no message.
    const { code, message = '' } = (cause ?? {}) as { code?: string; message?: string };
    const why = code === undefined || message.includes(code) ? message : `${code}: ${message}`;
    throw new Error(`the token server can't be asked: ${why}`, { cause });
  }
}

function clientCredentials(clientId: string, secret: string): string {
  const encoded = (text: string) => new URLSearchParams([['', text]]).toString().slice(1);
  return Buffer.from(`${encoded(clientId)}:${encoded(secret)}`).toString('base64');
}

function parsedToken(text: string, nowMs: number): Token {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error('the token server answered no JSON');
  }
  const { access_token, expires_in, token_type } = (answer ?? {}) as Record<string, unknown>;
  if (typeof access_token !== 'string' || !/^[\x21-\x7e]+$/.test(access_token)) {
    throw new Error('the token server answered without a legal access_token');
  }
  if (typeof token_type === 'string' && token_type.toLowerCase() !== 'bearer') {
    throw new Error('the token server gave a token that is no bearer token');
  }
  // Some servers write the number as a string. A token without an end is good until it is refused.
  const seconds = Number(expires_in ?? Number.POSITIVE_INFINITY);
  const livesMs = seconds > 0 ? seconds * 1000 : Number.POSITIVE_INFINITY;
  return { text: access_token, endsMs: nowMs + livesMs - Math.min(SPARED_MS, livesMs / 2) };
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
