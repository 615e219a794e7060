// What a receiver does with a request's bytes: check them, and split them by trace. One walk does both.

import { tenantHash } from './partition.ts';
import { type RequestPart, rebuild } from './rebuild.ts';
import * as walk from './walk.ts';

export interface AdmittedRequest {
  /** Ascending by partition. Empty if the request holds no span: there is nothing to append, it is simply acknowledged. */
  parts: RequestPart[];
  spans: number;
  /** Spans whose trace id is not 16 bytes or whose span id is not 8, or where one of them is all zero. They count nevertheless. */
  oddIds: number;
}

/**
 * More than any request needs whose spans share what spans share, and what the in-flight limit of a receiver has room for.
 */
const MAX_COPIED_BYTES = 64 * 1024 * 1024;

/**
 * Checks an ExportTraceServiceRequest fully and splits it so that each trace is whole in one part. If all spans belong to one
 * partition, that part's bytes are `bytes` itself, not a copy.
 * @throws OtlpDecodeError, CopiesTooLarge
 */
export function admitRequest(bytes: Uint8Array, partitions: number, tenant: string): AdmittedRequest {
  walk.walkRequest(bytes, partitions, tenantHash(tenant));
  const { spans, oddIds } = walk;
  if (spans === 0) return { parts: [], spans, oddIds };
  if (!walk.mixed) return { parts: [{ partition: walk.firstPartition, bytes }], spans, oddIds };
  return { parts: rebuild(bytes, spans, walk.partitionOfSpan, MAX_COPIED_BYTES), spans, oddIds };
}

/** @throws OtlpDecodeError if the bytes are no ExportTraceServiceRequest: everything in it is looked at. */
export function validateRequest(bytes: Uint8Array): void {
  walk.walkRequest(bytes, 1, 0);
}

/** The parts of `admitRequest` alone. @throws OtlpDecodeError, CopiesTooLarge */
export function splitByTrace(bytes: Uint8Array, partitions: number, tenant: string): RequestPart[] {
  return admitRequest(bytes, partitions, tenant).parts;
}

/** Which of so many buckets each span's trace falls into; good until the next call. @throws OtlpDecodeError */
export function traceBuckets(bytes: Uint8Array, buckets: number, tenant: string): Int32Array {
  walk.walkRequest(bytes, buckets, tenantHash(tenant));
  const { spans } = walk;
  if (spans > 0 && !walk.mixed) return Int32Array.of(walk.firstPartition);
  return walk.partitionOfSpan.subarray(0, spans);
}
