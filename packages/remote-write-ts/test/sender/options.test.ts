import { describe, expect, it } from 'vitest';
import {
  createSender,
  FORBIDDEN_HEADERS,
  SenderError,
  type SenderErrorCode,
  type SenderOptions,
} from '../../src/index.ts';

const BASE: SenderOptions = { url: 'http://127.0.0.1:9/api/v1/write', userAgent: 'test/1.0' };

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
