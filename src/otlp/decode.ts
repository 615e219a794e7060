// Decodes an ExportTraceServiceRequest (opentelemetry-proto, trace/v1) in one pass over its bytes into a SpanBatch. Fields come
// in any order (Go's encoder writes them descending), so a ResourceSpans is first scanned for its resource by skipping
// lengths. Hot file: no allocation per span; bench/otlp holds the numbers. Must refuse whatever a protobuf decoder refuses.

import { eventSize, keyEnd, keyStart, keyValueSize, linkSize, scopeSize, valueEnd, valueStart } from './canonical.ts';
import type { ExtractionPlan } from './plan.ts';
import { ResourceTable } from './resources.ts';
import { SpanBatch } from './span-batch.ts';
import { at, fail, fieldSize, length, skip, tagAt, varint32, varintSize } from './wire.ts';

export class Decoder {
  readonly batch: SpanBatch;
  readonly resources: ResourceTable;
  /** Canonical size of the ResourceSpans of the last request, summed, without their tags. */
  requestSizeBytes = 0;
  private readonly plan: ExtractionPlan;

  constructor(plan: ExtractionPlan) {
    this.plan = plan;
    this.batch = new SpanBatch(plan.keys.length);
    this.resources = new ResourceTable(plan);
  }

  /** Fills `batch` from the request. @throws DecodeError with reason and byte position; the batch is then worth nothing. */
  decode(bytes: Uint8Array): SpanBatch {
    const batch = this.batch;
    this.resources.trim();
    batch.reset(bytes);
    this.requestSizeBytes = 0;
    const end = bytes.length;
    let pos = 0;
    while (pos < end) {
      const tag = tagAt(bytes, pos, end);
      pos = at;
      if (tag === 10) {
        const n = length(bytes, pos, end);
        pos = at;
        this.requestSizeBytes += this.resourceSpans(bytes, pos, pos + n);
        pos += n;
      } else {
        if (tag < 16) fail('wire_type', 'ResourceSpans of a wrong wire type', pos);
        pos = skip(bytes, tag, pos, end);
      }
    }
    return batch;
  }

  private resourceSpans(buf: Uint8Array, start: number, end: number): number {
    let resourceStart = -1;
    let resourceEnd = -1;
    let schemaUrl = 0;
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
      } else if (tag === 26) {
        const n = length(buf, pos, end);
        schemaUrl = n > 0 ? fieldSize(n) : 0;
        pos = at + n;
      } else {
        if (tag < 32 && tag !== 18) fail('wire_type', 'ResourceSpans field of a wrong wire type', pos);
        pos = skip(buf, tag, pos, end);
      }
    }
    const batch = this.batch;
    let resource: number;
    if (parts) {
      // A message field that comes twice is merged (protobuf encoding guide, "Last One Wins").
      const merged = new Uint8Array(Buffer.concat(parts));
      resource = this.resources.intern(merged, new DataView(merged.buffer), 0, merged.length);
    } else {
      resource = this.resources.intern(buf, batch.view, Math.max(resourceStart, 0), Math.max(resourceEnd, 0));
    }
    const group = batch.addGroup(resource);
    let size = (resourceStart >= 0 ? fieldSize(this.resources.get(resource).sizeBytes) : 0) + schemaUrl;
    for (let pos = start; pos < end; ) {
      const tag = tagAt(buf, pos, end);
      pos = at;
      if (tag === 18) {
        const n = length(buf, pos, end);
        pos = at;
        size += fieldSize(this.scopeSpans(buf, pos, pos + n, resource, group));
        pos += n;
      } else {
        pos = skip(buf, tag, pos, end);
      }
    }
    return size;
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
        size += fieldSize(this.span(buf, pos, pos + n, resource, group));
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

  private span(buf: Uint8Array, start: number, end: number, resource: number, group: number): number {
    const batch = this.batch;
    const plan = this.plan;
    const view = batch.view;
    const i = batch.add();
    const slots = batch.slots;
    const slotBase = i * slots;
    const { slotStart, slotEnd } = batch;
    for (let s = slotBase; s < slotBase + slots; s++) slotStart[s] = -1;

    let traceStart = 0;
    let traceLength = 0;
    let idStart = 0;
    let idLength = 0;
    let parentStart = 0;
    let parentLength = 0;
    let nameStart = 0;
    let nameEnd = 0;
    let stateStart = 0;
    let stateEnd = 0;
    let messageStart = 0;
    let messageEnd = 0;
    let kind = 0;
    let kindSize = 0;
    let status = 0;
    let statusSize = -1;
    let startLow = 0;
    let startHigh = 0;
    let endLow = 0;
    let endHigh = 0;
    let dropped = 0;
    let flags = 0;
    let size = 0;

    let pos = start;
    while (pos < end) {
      let tag = buf[pos++]!;
      if (tag >= 128) {
        tag = tagAt(buf, pos - 1, end);
        pos = at;
      }
      switch (tag) {
        case 74: {
          let n = pos < end ? buf[pos++]! : 255;
          if (n >= 128) {
            n = length(buf, pos - 1, end);
            pos = at;
          } else if (n > end - pos) fail('truncated', 'attribute cut off', pos);
          const next = pos + n;
          const body = keyValueSize(buf, pos, next);
          size += body < 128 ? body + 2 : fieldSize(body);
          const slot = plan.find(buf, keyStart, keyEnd);
          if (slot >= 0 && slotStart[slotBase + slot]! < 0) {
            slotStart[slotBase + slot] = valueStart < 0 ? next : valueStart;
            slotEnd[slotBase + slot] = valueStart < 0 ? next : valueEnd;
          }
          pos = next;
          break;
        }
        case 10:
          traceLength = length(buf, pos, end);
          traceStart = at;
          pos = at + traceLength;
          break;
        case 18:
          idLength = length(buf, pos, end);
          idStart = at;
          pos = at + idLength;
          break;
        case 26: {
          const n = length(buf, pos, end);
          stateStart = at;
          stateEnd = pos = at + n;
          break;
        }
        case 34:
          parentLength = length(buf, pos, end);
          parentStart = at;
          pos = at + parentLength;
          break;
        case 42: {
          const n = length(buf, pos, end);
          nameStart = at;
          nameEnd = pos = at + n;
          break;
        }
        case 48:
          kind = varint32(buf, pos, end);
          pos = at;
          kindSize = enumSize(kind);
          break;
        case 57:
          if (end - pos < 8) fail('truncated', 'start time cut off', pos);
          startLow = view.getUint32(pos, true);
          startHigh = view.getUint32(pos + 4, true);
          pos += 8;
          break;
        case 65:
          if (end - pos < 8) fail('truncated', 'end time cut off', pos);
          endLow = view.getUint32(pos, true);
          endHigh = view.getUint32(pos + 4, true);
          pos += 8;
          break;
        case 90: {
          const n = length(buf, pos, end);
          pos = at;
          size += fieldSize(eventSize(buf, pos, pos + n));
          pos += n;
          break;
        }
        case 106: {
          const n = length(buf, pos, end);
          pos = at;
          size += fieldSize(linkSize(buf, pos, pos + n));
          pos += n;
          break;
        }
        case 80:
        case 96:
        case 112: {
          const n = varint32(buf, pos, end) >>> 0;
          pos = at;
          dropped += n === 0 ? 0 : 1 + varintSize(n);
          break;
        }
        case 122: {
          // Status: 2 message, 3 code (1 is reserved).
          const n = length(buf, pos, end);
          pos = at;
          const next = pos + n;
          while (pos < next) {
            const t = tagAt(buf, pos, next);
            pos = at;
            if (t === 24) {
              status = varint32(buf, pos, next);
              pos = at;
            } else if (t === 18) {
              const m = length(buf, pos, next);
              messageStart = at;
              messageEnd = pos = at + m;
            } else {
              if (t >= 16 && t < 32) fail('wire_type', 'Status field of a wrong wire type', pos);
              pos = skip(buf, t, pos, next);
            }
          }
          const message = messageEnd - messageStart;
          statusSize = fieldSize((message > 0 ? fieldSize(message) : 0) + enumSize(status));
          break;
        }
        case 133:
          if (end - pos < 4) fail('truncated', 'flags cut off', pos);
          flags = view.getUint32(pos, true) === 0 ? 0 : 6;
          pos += 4;
          break;
        default:
          if (tag < 136) fail('wire_type', `Span field ${tag >>> 3} of wire type ${tag & 7}`, pos);
          pos = skip(buf, tag, pos, end);
      }
    }

    batch.spanStart[i] = start;
    batch.spanEnd[i] = end;
    batch.traceStart[i] = traceStart;
    batch.traceLength[i] = traceLength;
    batch.idStart[i] = idStart;
    batch.idLength[i] = idLength;
    batch.parentStart[i] = parentStart;
    batch.parentLength[i] = parentLength;
    batch.nameStart[i] = nameStart;
    batch.nameEnd[i] = nameEnd;
    batch.stateStart[i] = stateStart;
    batch.stateEnd[i] = stateEnd;
    batch.messageStart[i] = messageStart;
    batch.messageEnd[i] = messageEnd;
    batch.kind[i] = kind;
    batch.status[i] = status;
    batch.startLow[i] = startLow;
    batch.startHigh[i] = startHigh;
    batch.endLow[i] = endLow;
    batch.endHigh[i] = endHigh;
    batch.resource[i] = resource;
    batch.group[i] = group;
    // Both halves are exact and are added once, so the 64-bit difference is rounded once, as one conversion would.
    const later = endHigh > startHigh || (endHigh === startHigh && endLow > startLow);
    batch.seconds[i] = later ? ((endHigh - startHigh) * 4294967296 + (endLow - startLow)) / 1e9 : 0;

    size +=
      (traceLength > 0 ? fieldSize(traceLength) : 0) +
      (idLength > 0 ? fieldSize(idLength) : 0) +
      (parentLength > 0 ? fieldSize(parentLength) : 0) +
      (nameEnd > nameStart ? fieldSize(nameEnd - nameStart) : 0) +
      (stateEnd > stateStart ? fieldSize(stateEnd - stateStart) : 0) +
      (startLow !== 0 || startHigh !== 0 ? 9 : 0) +
      (endLow !== 0 || endHigh !== 0 ? 9 : 0) +
      kindSize +
      dropped +
      (statusSize < 0 ? 0 : statusSize) +
      flags;
    batch.sizeBytes[i] = size;
    return size;
  }
}

/** An enum field with a one-byte tag: left out where 0, sign-extended to ten bytes where negative. */
function enumSize(value: number): number {
  if (value === 0) return 0;
  return value < 0 ? 11 : 1 + varintSize(value);
}
