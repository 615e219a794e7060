// OAuth2 client credentials: a token from an authorization server, kept until shortly before it ends. Source: RFC 6749,
// sections 2.3.1 (client password), 4.4 (client credentials) and 5 (the answers).

import { SenderError } from '../errors/index.ts';
import {
  createPoolTransport,
  type ProxyOptions,
  proxyFor,
  type TlsOptions,
  type Transport,
} from '../transport/index.ts';
import type { Authorizer } from './authorizer.ts';
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

/** A token isn't used in its last seconds: it may end on the way. */
const SPARED_MS = 10_000;
const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const LEGAL = /^[\x20-\x7e]+$/;

interface Token {
  text: string;
  endsMs: number;
}

/** @throws SenderError `bad_auth`, `bad_url`, `bad_tls` */
export function createOAuth2(options: OAuth2Options): Authorizer {
  const { clientId, scopes = [], endpointParams = {}, clientAuth = 'header', now = Date.now } = options;
  const url = URL.parse(options.tokenUrl);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new SenderError('bad_url', 'oauth2.tokenUrl is not an absolute http or https URL without credentials');
  }
  if (!LEGAL.test(clientId)) throw new SenderError('bad_auth', 'oauth2.clientId is empty or illegal');
  const clientSecret = secretReader('oauth2.clientSecret', options.clientSecret, LEGAL);
  const transport: Transport = createPoolTransport({
    origin: url.origin,
    connections: 1,
    connectTimeoutMs: TIMEOUT_MS,
    keptBytes: MAX_ANSWER_BYTES,
    tls: options.tls,
    proxy: options.proxy,
  });
  const proxySecrets = proxyFor(url, options.proxy)?.secrets ?? [];
  let token: Token | undefined;
  let replaced: Token | undefined;
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
    const response = await transport.post({
      path: url!.pathname + url!.search,
      headers,
      body: Buffer.from(form.toString()),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    // The answer stays out of the messages: it may hold a token.
    if (response.status !== 200) throw new Error(`the token server answered ${response.status}`);
    return parsedToken(response.text, now());
  }

  async function currentToken(): Promise<Token> {
    if (token !== undefined && now() < token.endsMs) return token;
    underWay ??= fetchToken().finally(() => {
      underWay = undefined;
    });
    const fetched = await underWay;
    if (fetched !== token) {
      replaced = token;
      token = fetched;
    }
    return fetched;
  }

  return {
    async headers({ signal }) {
      // The token is for all requests: one that gives up doesn't end the others' wait.
      const { text } = await untilAborted(currentToken(), signal);
      return { authorization: `Bearer ${text}` };
    },
    secrets() {
      const tokens = [token, replaced].filter((known) => known !== undefined).map(({ text }) => text);
      const secrets = clientSecret.seen();
      return [...proxySecrets, ...tokens, ...secrets, ...secrets.map((secret) => clientCredentials(clientId, secret))];
    },
    unauthorized() {
      if (token !== undefined) token.endsMs = 0;
    },
    close: () => transport.close(),
  };
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
  return { text: access_token, endsMs: seconds > 0 ? nowMs + seconds * 1000 - SPARED_MS : Number.POSITIVE_INFINITY };
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
