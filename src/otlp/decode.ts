// Decodes an ExportTraceServiceRequest (opentelemetry-proto, trace/v1) in one pass over its bytes into a SpanBatch. Fields come
// in any order (Go's encoder writes them descending), so a ResourceSpans that does not begin with its resource is first scanned
// for it by skipping lengths. Hot file: no allocation per span (bench/micro/decode.ts). Must refuse whatever a protobuf decoder refuses.

import { scopeSize } from './canonical.ts';
import type { ExtractionPlan } from './plan.ts';
import { ResourceTable } from './resources.ts';
import { SpanBatch } from './span-batch.ts';
import { SpanReader } from './span-reader.ts';
import { at, DecodeError, fail, fieldSize, length, skip, tagAt } from './wire.ts';

export class Decoder {
  readonly batch: SpanBatch;
  readonly resources: ResourceTable;
  /** Canonical size of the ResourceSpans of the last request, summed, without their tags. */
  requestSizeBytes = 0;
  private readonly spans: SpanReader;

  constructor(plan: ExtractionPlan) {
    this.batch = new SpanBatch(plan.keys.length);
    this.spans = new SpanReader(this.batch, plan);
    this.resources = new ResourceTable(plan);
  }

  /** Fills `batch` from the request. @throws DecodeError with reason and byte position; the batch is then worth nothing. */
  decode(bytes: Uint8Array): SpanBatch {
    const batch = this.batch;
    this.resources.trim();
    const start = batch.reset(bytes);
    this.spans.forget();
    try {
      this.requestSizeBytes = this.request(batch.bytes, start, start + bytes.length);
    } catch (error) {
      throw error instanceof DecodeError ? error.movedBy(-start) : error;
    }
    return batch;
  }

  private request(buf: Uint8Array, start: number, end: number): number {
    let size = 0;
    for (let pos = start; pos < end; ) {
      const tag = tagAt(buf, pos, end);
      pos = at;
      if (tag === 10) {
        const n = length(buf, pos, end);
        pos = at;
        size += this.resourceSpans(buf, pos, pos + n);
        pos += n;
      } else {
        if (tag < 16) fail('wire_type', 'ResourceSpans of a wrong wire type', pos);
        pos = skip(buf, tag, pos, end);
      }
    }
    return size;
  }

  /** Most encoders write the resource first: then one pass does. If another resource follows after all, the pass is undone. */
  private resourceSpans(buf: Uint8Array, start: number, end: number): number {
    if (start < end && buf[start] === 10) {
      const n = length(buf, start + 1, end);
      const { batch } = this;
      const { count, groups } = batch;
      const resourceEnd = at + n;
      const resource = this.resources.intern(buf, batch.view, resourceEnd - n, resourceEnd);
      const size = this.restOfResourceSpans(buf, resourceEnd, end, resource, true);
      if (size >= 0) return size + fieldSize(this.resources.get(resource).sizeBytes);
      batch.truncate(count, groups);
      this.spans.forget();
    }
    return this.scannedResourceSpans(buf, start, end);
  }

  private scannedResourceSpans(buf: Uint8Array, start: number, end: number): number {
    let resourceStart = -1;
    let resourceEnd = -1;
    let parts: Uint8Array[] | undefined;
    for (let pos = start; pos < end; ) {
      const tag = tagAt(buf, pos, end);
      pos = at;
      if (tag === 10) {
        const n = length(buf, pos, end);
        if (resourceStart >= 0) {
          parts ??= [buf.subarray(resourceStart, resourceEnd)];
          parts.push(buf.subarray(at, at + n));
        }
        resourceStart = at;
        resourceEnd = pos = at + n;
      } else pos = skip(buf, tag, pos, end);
    }
    let resource: number;
    if (parts) {
      // A message field that comes twice is merged (protobuf encoding guide, "Last One Wins").
      const merged = new Uint8Array(Buffer.concat(parts));
      resource = this.resources.intern(merged, new DataView(merged.buffer), 0, merged.length);
    } else {
      resource = this.resources.intern(buf, this.batch.view, Math.max(resourceStart, 0), Math.max(resourceEnd, 0));
    }
    const size = this.restOfResourceSpans(buf, start, end, resource, false);
    return resourceStart < 0 ? size : size + fieldSize(this.resources.get(resource).sizeBytes);
  }

  /** All of a ResourceSpans from `pos` on but the resource, which is known; -1 at a resource where `isOnly` says there is none. */
  private restOfResourceSpans(buf: Uint8Array, pos: number, end: number, resource: number, isOnly: boolean): number {
    const group = this.batch.addGroup(resource);
    let size = 0;
    let schemaUrl = 0;
    while (pos < end) {
      const tag = tagAt(buf, pos, end);
      pos = at;
      if (tag === 18) {
        const n = length(buf, pos, end);
        pos = at;
        size += fieldSize(this.scopeSpans(buf, pos, pos + n, resource, group));
        pos += n;
      } else if (tag === 26) {
        const n = length(buf, pos, end);
        schemaUrl = n > 0 ? fieldSize(n) : 0;
        pos = at + n;
      } else {
        if (tag === 10 && isOnly) return -1;
        if (tag < 32 && tag !== 10) fail('wire_type', 'ResourceSpans field of a wrong wire type', pos);
        pos = skip(buf, tag, pos, end);
      }
    }
    return size + schemaUrl;
  }

  private scopeSpans(buf: Uint8Array, start: number, end: number, resource: number, group: number): number {
    let size = 0;
    let scope = 0;
    let schemaUrl = 0;
    for (let pos = start; pos < end; ) {
      const tag = tagAt(buf, pos, end);
      pos = at;
      if (tag === 18) {
        const n = length(buf, pos, end);
        pos = at;
        size += fieldSize(this.spans.read(buf, pos, pos + n, resource, group));
        pos += n;
      } else if (tag === 10) {
        const n = length(buf, pos, end);
        pos = at;
        scope = fieldSize(scopeSize(buf, pos, pos + n));
        pos += n;
      } else if (tag === 26) {
        const n = length(buf, pos, end);
        schemaUrl = n > 0 ? fieldSize(n) : 0;
        pos = at + n;
      } else {
        if (tag < 32) fail('wire_type', 'ScopeSpans field of a wrong wire type', pos);
        pos = skip(buf, tag, pos, end);
      }
    }
    return size + scope + schemaUrl;
  }
}
