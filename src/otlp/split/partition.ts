// Which partition a trace belongs to: FNV-1a of 32 bits over the tenant's UTF-8 bytes and the trace id's bytes, modulo the
// number of partitions. Every receiver must agree, or the halves of an edge part: this function is never changed, only
// replaced under another name.

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** The hash after the tenant's bytes: the same for all spans of a request. */
export function tenantHash(tenant: string): number {
  const bytes = Buffer.from(tenant, 'utf8');
  return fnv1a(OFFSET_BASIS, bytes, 0, bytes.length);
}

/** Goes on from `hash` over the bytes in [from, to). */
export function fnv1a(hash: number, bytes: Uint8Array, from: number, to: number): number {
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, PRIME);
  return hash >>> 0;
}

/** Partition of a trace id of any length, as it stands in the span (no padding: ids that differ in length differ). */
export function partitionOf(tenant: string, traceId: Uint8Array, partitions: number): number {
  return fnv1a(tenantHash(tenant), traceId, 0, traceId.length) % partitions;
}
