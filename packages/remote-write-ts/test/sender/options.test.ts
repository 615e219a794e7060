import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  createSender,
  FORBIDDEN_HEADERS,
  SenderError,
  type SenderErrorCode,
  type SenderOptions,
  type TlsOptions,
} from '../../src/index.ts';
import { createChannel } from '../../src/sender/index.ts';
import { CERT, KEY } from './material.ts';

const BASE: SenderOptions = { url: 'http://127.0.0.1:9/api/v1/write', userAgent: 'test/1.0' };

function otherKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

function fault(options: Partial<SenderOptions>): SenderError | undefined {
  try {
    void createSender({ ...BASE, ...options }).close();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(SenderError);
    return error as SenderError;
  }
}

function codeOf(options: Partial<SenderOptions>): SenderErrorCode | undefined {
  return fault(options)?.code;
}

describe('making a sender', () => {
  it('succeeds with a URL and a user agent', () => {
    expect(codeOf({})).toBeUndefined();
  });

  it.each([...FORBIDDEN_HEADERS])('refuses the header %s however it is written', (name) => {
    expect(codeOf({ headers: { [name]: 'x' } })).toBe('forbidden_header');
    expect(codeOf({ headers: { [name.toUpperCase()]: 'x' } })).toBe('forbidden_header');
  });

  it('refuses at least the headers that Prometheus refuses', () => {
    const prometheus =
      'authorization host content-encoding content-length content-type user-agent connection keep-alive proxy-authenticate ' +
      'proxy-authorization www-authenticate accept-encoding x-prometheus-remote-read-version ' +
      'x-prometheus-remote-write-version x-amz-date x-amz-security-token x-amz-content-sha256';
    for (const name of prometheus.split(' ')) expect(FORBIDDEN_HEADERS).toContain(name);
  });

  it('refuses headers that are illegal or given twice', () => {
    expect(codeOf({ headers: { 'a b': 'x' } })).toBe('bad_header');
    expect(codeOf({ headers: { '': 'x' } })).toBe('bad_header');
    expect(codeOf({ headers: { a: 'x\r\nhost: evil' } })).toBe('bad_header');
    expect(codeOf({ headers: { a: '\u{1f600}' } })).toBe('bad_header');
    expect(codeOf({ headers: { 'X-A': '1', 'x-a': '2' } })).toBe('bad_header');
    expect(codeOf({ userAgent: '' })).toBe('bad_header');
    expect(codeOf({ userAgent: 'a\nb' })).toBe('bad_header');
    expect(codeOf({ headers: { constructor: 'x', __proto_: 'y' } })).toBeUndefined();
  });

  it('says which header has no text, and takes none that would get lost', () => {
    const message = (headers: unknown) => fault({ headers: headers as Record<string, string> })?.message;
    expect(message({ 'X-A': undefined })).toMatch(/^header x-a has a value of the type undefined: leave it out/);
    expect(message({ a: 5 })).toMatch(/^header a has a value of the type number: give a string$/);
    expect(message({ a: null })).toMatch(/^header a /);
    for (const list of [[['a', 'b']], new Map([['a', 'b']]), new Headers({ a: 'b' }), 'a: b']) {
      expect(message(list)).toMatch(/^headers is not a plain object/);
    }
  });

  it('refuses to send without a user agent', () => {
    for (const userAgent of [undefined, null, '', ' ', 5] as unknown as string[]) {
      expect(fault({ userAgent })).toMatchObject({
        code: 'bad_header',
        message: 'userAgent is missing or empty: the protocol requires one, such as shop/1.0',
      });
    }
  });

  it.each([
    ['timeout', 'timeoutMs'],
    ['timeoutSecs', undefined],
    ['user_agent', 'userAgent'],
    ['maxConcurent', 'maxConcurrent'],
    ['bearer', 'bearerToken'],
    ['onWarn', 'onWarning'],
    ['ca', undefined],
  ])('refuses the unknown option %s', (key, meant) => {
    const make = () => createChannel({ ...BASE, [key]: 5 } as SenderOptions, ['queue']);
    expect(make).toThrow(SenderError);
    const hint = meant === undefined ? 'known are url, name, ' : `did you mean ${meant}?`;
    expect(make).toThrow(`unknown option ${key}: ${hint}`);
    if (meant !== undefined) expect(fault({ [key]: 5 })?.code).toBe('bad_option');
  });

  it('takes the options that others know, and those that are undefined', () => {
    void createChannel({ ...BASE, queue: {}, timeout: undefined } as SenderOptions, ['queue']).close();
    expect(codeOf({ queue: {}, timeout: undefined } as Partial<SenderOptions>)).toBeUndefined();
  });

  it('refuses an unknown option of TLS or the proxy', () => {
    expect(fault({ tls: { ca_file: '/ca' } as TlsOptions })?.message).toMatch(
      /^unknown option tls\.ca_file: .* caFile\?$/,
    );
    expect(fault({ tls: true as unknown as TlsOptions })?.message).toBe('tls is not an object');
    const proxy = (more: object) => fault({ proxy: { url: 'http://p', ...more } })?.message;
    expect(proxy({ no_proxy: '*' })).toMatch(/^unknown option proxy\.no_proxy: did you mean noProxy\?$/);
    expect(proxy({ tls: { insecure: true } })).toMatch(/^unknown option proxy\.tls\.insecure: did you mean insecure/);
    expect(proxy({ headers: { a: undefined } })).toMatch(/^a header of proxy\.headers/);
    expect(fault({ proxy: 'http://p' as 'env' })?.message).toMatch(/a URL goes into proxy\.url$/);
  });

  it('refuses what is no function or neither true nor false', () => {
    for (const key of ['onAttempt', 'onWarning', 'sleep', 'now', 'random', 'retryOn429', 'followRedirects']) {
      expect(fault({ [key]: 'no' } as Partial<SenderOptions>)).toMatchObject({
        code: 'bad_option',
        message: expect.stringContaining(key),
      });
    }
  });

  it('refuses a URL that is relative, of another scheme, or with credentials, without repeating it', () => {
    for (const url of ['/api/v1/write', 'ftp://h/', 'not a url', 'http://user:hunter2@h/', 'http://user@h/']) {
      const error = fault({ url });
      expect(error?.code).toBe('bad_url');
      expect(error?.message).not.toContain('hunter2');
      expect(error?.message).not.toContain(url);
    }
  });

  it('refuses credentials that no header can carry, or of two kinds, without repeating them', () => {
    const basicAuth = { username: 'u', password: 'p' };
    expect(codeOf({ basicAuth, bearerToken: 't' })).toBe('bad_auth');
    expect(codeOf({ basicAuth: { username: 'u:v', password: 'p' } })).toBe('bad_auth');
    expect(codeOf({ bearerToken: '' })).toBe('bad_auth');
    const error = fault({ bearerToken: 'hunter2\n' });
    expect(error?.code).toBe('bad_auth');
    expect(error?.message).not.toContain('hunter2');
  });

  it('refuses TLS material that is unreadable or half', () => {
    expect(codeOf({ tls: { cert: 'not a certificate', key: 'not a key' } })).toBe('bad_tls');
    expect(codeOf({ tls: { cert: 'not a certificate' } })).toBe('bad_tls');
    expect(codeOf({ tls: { insecureSkipVerify: true, serverName: 'a' } })).toBeUndefined();
  });

  it.each([
    ['an authority that is none', { ca: 'zzz' }, /^ca holds no PEM certificate$/],
    ['no text at all', { ca: '' }, /^ca is empty$/],
    ['a number', { ca: 5 }, /^ca is neither a string nor a Buffer$/],
    ['half an authority', { ca: `${CERT}\n${CERT.slice(0, 300)}` }, /^ca holds a PEM certificate that is cut off$/],
    [
      'a second authority that is nonsense',
      { ca: `${CERT}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----` },
      /^certificate 2 of ca can't be used: /,
    ],
    ['an empty certificate', { cert: '', key: '' }, /^cert is empty$/],
    ['a key that is none', { cert: CERT, key: 'zzz' }, /^key can't be used: .*DECODER/],
    ['a certificate that is none', { cert: 'zzz', key: KEY }, /^cert can't be used: .*PEM/],
    ['the key of another', { cert: CERT, key: otherKey() }, /^cert with key can't be used: .*mismatch/],
    [
      'versions of which none is left',
      { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' },
      /^maxVersion is below minVersion, which is TLSv1\.3$/,
    ],
    ['text for a claim', { insecureSkipVerify: 'false' }, /^insecureSkipVerify is neither true nor false$/],
  ])('refuses TLS with %s', (_what, tls, message) => {
    expect(fault({ tls: tls as TlsOptions })).toMatchObject({
      code: 'bad_tls',
      message: expect.stringMatching(message),
    });
  });

  it('takes several authorities, with text between them', () => {
    for (const ca of [
      `# one\n${CERT}\n# two\n${CERT}\n`,
      Buffer.from(CERT),
      new Uint8Array(Buffer.from(CERT)) as Buffer,
    ]) {
      expect(codeOf({ tls: { ca } })).toBeUndefined();
    }
  });

  it.each(['timeoutMs', 'minBackoffMs', 'maxBackoffMs', 'maxRetryAfterMs', 'maxConcurrent'] as const)(
    'refuses %s out of range',
    (option) => {
      for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
        expect(codeOf({ [option]: value })).toBe('bad_option');
      }
    },
  );

  it('refuses a maximum below its minimum', () => {
    expect(codeOf({ minBackoffMs: 100, maxBackoffMs: 99 })).toBe('bad_option');
  });
});
