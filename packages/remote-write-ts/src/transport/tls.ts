// TLS material, inline or from files that are read again when they change. What is unreadable must be said before it is used:
// otherwise it would fail each connection, and look like a network error.

import { X509Certificate } from 'node:crypto';
import { readFileSync, type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createSecureContext, DEFAULT_MIN_VERSION, type SecureVersion } from 'node:tls';
import { SenderError } from '../errors/index.ts';
import { checkKeys, keysOf } from './known-keys.ts';

export interface TlsOptions {
  /** PEM. */
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  /** Paths of PEM files, instead of the above. They are looked at before each request; a change makes new connections. */
  caFile?: string;
  certFile?: string;
  keyFile?: string;
  /** The name that the certificate must carry, where it is not the URL's host. */
  serverName?: string;
  /** Default: Node.js' own, TLS 1.2. */
  minVersion?: SecureVersion;
  /** Default: the newest. */
  maxVersion?: SecureVersion;
  /** Accepts any certificate. */
  insecureSkipVerify?: boolean;
}

/** What Node.js connects with. */
export interface TlsConnect {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  minVersion?: SecureVersion;
  maxVersion?: SecureVersion;
  rejectUnauthorized?: boolean;
}

type Kind = 'ca' | 'cert' | 'key';

const KINDS: readonly Kind[] = ['ca', 'cert', 'key'];
const KEYS = keysOf<TlsOptions>({
  ca: true,
  cert: true,
  key: true,
  caFile: true,
  certFile: true,
  keyFile: true,
  serverName: true,
  minVersion: true,
  maxVersion: true,
  insecureSkipVerify: true,
});
const MISSING = 'missing';
const CERTIFICATE = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]*-----END \1-----/g;
const CERTIFICATE_BEGUN = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/**
 * Reads and checks.
 * @param owner stands before the names of the options in messages, such as `proxy.tls.`.
 * @throws SenderError `bad_tls`, `bad_option`
 */
export function loadTls(tls: TlsOptions, owner = ''): TlsConnect {
  checkKeys(owner === '' ? 'tls' : owner.slice(0, -1), tls, KEYS);
  const connect: TlsConnect = {};
  for (const kind of KINDS) {
    const path = tls[`${kind}File`];
    if (path !== undefined && tls[kind] !== undefined) {
      throw new SenderError('bad_tls', `${owner}${kind} and ${kind}File exclude each other`);
    }
    const material = path === undefined ? tls[kind] : read(`${owner}${kind}`, path);
    if (material !== undefined) connect[kind] = material;
  }
  if ((connect.cert === undefined) !== (connect.key === undefined)) {
    throw new SenderError('bad_tls', `${owner}cert and ${owner}key: a client certificate needs both`);
  }
  const { minVersion, maxVersion, insecureSkipVerify } = tls;
  const lowest = minVersion ?? DEFAULT_MIN_VERSION;
  if (maxVersion !== undefined && maxVersion < lowest) {
    throw new SenderError('bad_tls', `${owner}maxVersion is below ${owner}minVersion, which is ${lowest}`);
  }
  // Text such as 'false' would count as true.
  if (insecureSkipVerify !== undefined && typeof insecureSkipVerify !== 'boolean') {
    throw new SenderError('bad_tls', `${owner}insecureSkipVerify is neither true nor false`);
  }
  const named = (kind: Kind) => `${owner}${kind}${tls[`${kind}File`] === undefined ? '' : ` (${tls[`${kind}File`]})`}`;
  for (const kind of KINDS) checkMaterial(named(kind), kind, connect[kind]);
  const { cert, key } = connect;
  if (cert !== undefined) usable(`${named('cert')} with ${named('key')}`, () => createSecureContext({ cert, key }));
  if (minVersion !== undefined) usable(`${owner}minVersion`, () => createSecureContext({ minVersion }));
  if (maxVersion !== undefined) usable(`${owner}maxVersion`, () => createSecureContext({ maxVersion }));
  if (tls.serverName !== undefined) connect.servername = tls.serverName;
  if (minVersion !== undefined) connect.minVersion = minVersion;
  if (maxVersion !== undefined) connect.maxVersion = maxVersion;
  if (insecureSkipVerify !== undefined) connect.rejectUnauthorized = !insecureSkipVerify;
  return connect;
}

/** Whether it was the reading that failed: that may end without a change of the files, as with too many of them open. */
export function isUnreadFile(error: unknown): boolean {
  return error instanceof SenderError && error.cause instanceof Error && 'syscall' in error.cause;
}

function read(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new SenderError('bad_tls', `the file of ${name} can't be read: ${messageOf(cause)}`, { cause });
  }
}

function checkMaterial(name: string, kind: Kind, material: string | Buffer | undefined): void {
  if (material === undefined) return;
  // A Buffer that another thread sent is a bare Uint8Array.
  if (typeof material !== 'string' && !((material as unknown) instanceof Uint8Array)) {
    throw new SenderError('bad_tls', `${name} is neither a string nor a Buffer`);
  }
  if (material.length === 0) throw new SenderError('bad_tls', `${name} is empty`);
  if (kind === 'ca') checkAuthorities(name, material);
  else usable(name, () => createSecureContext({ [kind]: material }));
}

// OpenSSL takes the certificates up to the first that it can't read, and is silent about the rest: a file that is half
// written would leave authorities out, and an empty one leave none.
function checkAuthorities(name: string, material: string | Buffer): void {
  const text = typeof material === 'string' ? material : Buffer.from(material).toString('latin1');
  const whole = text.match(CERTIFICATE) ?? [];
  if (whole.length === 0) throw new SenderError('bad_tls', `${name} holds no PEM certificate`);
  if (whole.length < (text.match(CERTIFICATE_BEGUN) ?? []).length) {
    throw new SenderError('bad_tls', `${name} holds a PEM certificate that is cut off`);
  }
  for (const [i, pem] of whole.entries()) usable(`certificate ${i + 1} of ${name}`, () => new X509Certificate(pem));
}

function usable(name: string, use: () => unknown): void {
  try {
    use();
  } catch (cause) {
    throw new SenderError('bad_tls', `${name} can't be used: ${messageOf(cause)}`, { cause });
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'unknown error';
}

/** Changes with the files; undefined if there are none. Rejects for none of them: a missing file is a state, too. */
export async function tlsVersion(...all: readonly (TlsOptions | undefined)[]): Promise<string | undefined> {
  const paths = all.flatMap(tlsPaths);
  if (paths.length === 0) return undefined;
  return (await Promise.all(paths.map((path) => stat(path).then(versionOf, () => MISSING)))).join();
}

/** The same at once, for the start. */
export function tlsVersionSync(...all: readonly (TlsOptions | undefined)[]): string | undefined {
  const paths = all.flatMap(tlsPaths);
  if (paths.length === 0) return undefined;
  const version = (path: string) => {
    try {
      return versionOf(statSync(path));
    } catch {
      return MISSING;
    }
  };
  return paths.map(version).join();
}

function tlsPaths(tls: TlsOptions | undefined): string[] {
  return [tls?.caFile, tls?.certFile, tls?.keyFile].filter((path) => path !== undefined);
}

// The time of the inode as well: it changes with the permissions.
function versionOf({ mtimeMs, ctimeMs, size, ino }: Stats): string {
  return `${mtimeMs}:${ctimeMs}:${size}:${ino}`;
}
