// TLS material, inline or from files that are read again when they change.

import { readFileSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createSecureContext, type SecureVersion } from 'node:tls';
import { SenderError } from '../errors/index.ts';

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

/**
 * Reads and checks: unreadable material would otherwise fail each connection, and look like a network error.
 * @throws SenderError `bad_tls`
 */
export function loadTls(tls: TlsOptions): TlsConnect {
  const connect: TlsConnect = {};
  for (const kind of ['ca', 'cert', 'key'] as const) {
    const path = tls[`${kind}File`];
    if (path !== undefined && tls[kind] !== undefined) {
      throw new SenderError('bad_tls', `${kind} and ${kind}File exclude each other`);
    }
    const material = path === undefined ? tls[kind] : read(kind, path);
    if (material !== undefined) connect[kind] = material;
  }
  if ((connect.cert === undefined) !== (connect.key === undefined)) {
    throw new SenderError('bad_tls', 'a client certificate needs both cert and key');
  }
  try {
    createSecureContext({
      ca: connect.ca,
      cert: connect.cert,
      key: connect.key,
      ...(tls.minVersion && { minVersion: tls.minVersion }),
      ...(tls.maxVersion && { maxVersion: tls.maxVersion }),
    });
  } catch (cause) {
    throw new SenderError('bad_tls', 'the TLS material is unreadable', { cause });
  }
  if (tls.serverName !== undefined) connect.servername = tls.serverName;
  if (tls.minVersion !== undefined) connect.minVersion = tls.minVersion;
  if (tls.maxVersion !== undefined) connect.maxVersion = tls.maxVersion;
  if (tls.insecureSkipVerify !== undefined) connect.rejectUnauthorized = !tls.insecureSkipVerify;
  return connect;
}

function read(kind: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new SenderError('bad_tls', `the file of ${kind} can't be read`, { cause });
  }
}

/** Changes with the files; undefined if there are none. Rejects for none of them: a missing file is a state, too. */
export async function tlsVersion(tls: TlsOptions | undefined): Promise<string | undefined> {
  const paths = tlsPaths(tls);
  if (paths.length === 0) return undefined;
  const versions = paths.map(async (path) => {
    try {
      return versionOf(await stat(path));
    } catch {
      return 'missing';
    }
  });
  return (await Promise.all(versions)).join();
}

/** The same at once, for the start. Throws if a file is missing. */
export function tlsVersionSync(tls: TlsOptions | undefined): string | undefined {
  const paths = tlsPaths(tls);
  return paths.length === 0 ? undefined : paths.map((path) => versionOf(statSync(path))).join();
}

function tlsPaths(tls: TlsOptions | undefined): string[] {
  return [tls?.caFile, tls?.certFile, tls?.keyFile].filter((path) => path !== undefined);
}

function versionOf({ mtimeMs, size, ino }: { mtimeMs: number; size: number; ino: number }): string {
  return `${mtimeMs}:${size}:${ino}`;
}
