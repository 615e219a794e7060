// A request's head: what it asks for, in which format and encoding, and for whom. Everything here is decided before a byte
// of the body is read.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isTenantId } from '../tenant-id.ts';
import type { Compression } from './options.ts';
import { type Format, Refusal } from './refusal.ts';

export const TRACES_PATH = '/v1/traces';

const COMPRESSIONS: ReadonlyMap<string, Compression> = new Map([
  ['', 'identity'],
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['zstd', 'zstd'],
]);

export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** By the media type alone; parameters such as `charset` are tolerated. */
export function formatOf(headers: IncomingHttpHeaders): Format | undefined {
  const mediaType = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (mediaType === 'application/x-protobuf') return 'protobuf';
  return mediaType === 'application/json' ? 'json' : undefined;
}

/** @throws Refusal `content_encoding` */
export function compressionOf(headers: IncomingHttpHeaders): Compression {
  const compression = COMPRESSIONS.get((headers['content-encoding'] ?? '').trim().toLowerCase());
  if (compression === undefined) {
    throw new Refusal('content_encoding', 'unsupported content encoding, supported: gzip, deflate, zstd, identity');
  }
  return compression;
}

/** @throws Refusal `no_tenant`, `bad_tenant` */
export function checkTenant(tenant: string | undefined): string {
  if (tenant === undefined) throw new Refusal('no_tenant', 'no org id');
  if (!isTenantId(tenant)) {
    throw new Refusal(
      'bad_tenant',
      "the org id is not 1 to 150 characters of 0-9 A-Z a-z ! - _ . * ' ( ), or is . or ..",
    );
  }
  return tenant;
}

/** The length that the head declares; undefined if the body is chunked. */
export function declaredBytes(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['content-length'];
  return value === undefined ? undefined : Number(value);
}
