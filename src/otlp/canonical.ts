// The size a decoded message would have if it were encoded again canonically (protobuf encoding guide): what the size metric
// counts, instead of whatever the sender's encoder wrote. Also checks the bytes fully: what passes here can be read in place.

import { at, fail, fieldSize, length, skip, tagAt, varint, varint32, varintSize } from './wire.ts';

/** Nesting of arrays and maps in an attribute value beyond which a request is refused. */
export const MAX_VALUE_DEPTH = 64;

/** Key and value of the KeyValue that `keyValueSize` measured last: byte ranges; `valueStart` < 0 where there is no value. */
export let keyStart = 0;
export let keyEnd = 0;
export let valueStart = -1;
export let valueEnd = -1;

/**
 * Canonical body size of the KeyValue (opentelemetry.proto.common.v1) in [pos, end). Most attributes have one shape, key then
 * value, shortest varints, and are their own canonical form: that is checked first (bench/micro/decode.ts).
 */
export function keyValueSize(buf: Uint8Array, pos: number, end: number): number {
  const keyLength = pos + 1 < end ? buf[pos + 1]! : 0;
  const q = pos + 2 + keyLength;
  if (buf[pos] === 10 && keyLength > 0 && keyLength < 128 && q + 1 < end && buf[q] === 18) {
    let v = q + 2;
    let n = buf[q + 1]!;
    if (n >= 128 && v < end) {
      const high = buf[v++]!;
      n = high > 0 && high < 128 ? (n & 127) | (high << 7) : -1;
    }
    if (v + n === end && plainValue(buf, v, end)) {
      keyStart = pos + 2;
      keyEnd = q;
      valueStart = v;
      valueEnd = end;
      return end - pos;
    }
  }
  return measureKeyValue(buf, pos, end, 0);
}

/** Is the AnyValue a lone string, bool, int or double in its shortest form? */
function plainValue(buf: Uint8Array, v: number, end: number): boolean {
  if (v >= end) return true;
  switch (buf[v]) {
    case 10: {
      const n = v + 1 < end ? buf[v + 1]! : 255;
      if (n < 128) return v + 2 + n === end;
      const high = v + 2 < end ? buf[v + 2]! : 0;
      return high > 0 && high < 128 && v + 3 + ((n & 127) | (high << 7)) === end;
    }
    case 16:
      return end - v === 2 && buf[v + 1]! < 2;
    case 24: {
      let p = v + 1;
      if (end - p > 10 || p >= end) return false;
      while (p < end && buf[p]! >= 128) p++;
      return p === end - 1 && (buf[p] !== 0 || end - v === 2);
    }
    case 33:
      return end - v === 9;
    default:
      return false;
  }
}

function measureKeyValue(buf: Uint8Array, pos: number, end: number, depth: number): number {
  let ks = pos;
  let ke = pos;
  let vs = -1;
  let ve = -1;
  let keyIndex = 0;
  let valueSize = -1;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    if (tag === 10) {
      const n = length(buf, pos, end);
      ks = at;
      ke = pos = at + n;
    } else if (tag === 18) {
      const n = length(buf, pos, end);
      vs = at;
      ve = pos = at + n;
      valueSize = anyValueSize(buf, vs, ve, depth);
    } else if (tag === 24) {
      keyIndex = varint(buf, pos, end);
      pos = at;
    } else {
      if (tag < 32) fail('wire_type', 'KeyValue field of a wrong wire type', pos);
      pos = skip(buf, tag, pos, end);
    }
  }
  keyStart = ks;
  keyEnd = ke;
  valueStart = vs;
  valueEnd = ve;
  const keySize = ke > ks ? fieldSize(ke - ks) : 0;
  return keySize + (valueSize >= 0 ? fieldSize(valueSize) : 0) + (keyIndex !== 0 ? 1 + varintSize(keyIndex) : 0);
}

/** Canonical size of the AnyValue in [pos, end): of several members of the oneof the last counts. */
export function anyValueSize(buf: Uint8Array, pos: number, end: number, depth: number): number {
  if (depth > MAX_VALUE_DEPTH) fail('depth', `attribute nested deeper than ${MAX_VALUE_DEPTH}`, pos);
  let size = 0;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    switch (tag) {
      case 10:
      case 58: {
        const n = length(buf, pos, end);
        pos = at + n;
        size = fieldSize(n);
        break;
      }
      case 16:
        varint(buf, pos, end);
        pos = at;
        size = 2;
        break;
      case 24:
      case 64:
        size = 1 + canonicalVarintSize(buf, pos, end);
        pos = at;
        break;
      case 33:
        pos = skip(buf, tag, pos, end);
        size = 9;
        break;
      case 42:
      case 50: {
        const n = length(buf, pos, end);
        const from = at;
        pos = from + n;
        size = fieldSize(listSize(buf, from, pos, tag === 50, depth + 1));
        break;
      }
      default:
        if (tag < 72) fail('wire_type', 'AnyValue field of a wrong wire type', pos);
        pos = skip(buf, tag, pos, end);
    }
  }
  return size;
}

function listSize(buf: Uint8Array, pos: number, end: number, ofKeyValues: boolean, depth: number): number {
  let size = 0;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    if (tag === 10) {
      const n = length(buf, pos, end);
      const from = at;
      pos = from + n;
      size += fieldSize(ofKeyValues ? measureKeyValue(buf, from, pos, depth) : anyValueSize(buf, from, pos, depth));
    } else {
      if (tag < 16) fail('wire_type', 'list element of a wrong wire type', pos);
      pos = skip(buf, tag, pos, end);
    }
  }
  return size;
}

/** Size of the varint at pos in its shortest form: padding does not count. */
function canonicalVarintSize(buf: Uint8Array, pos: number, end: number): number {
  varint(buf, pos, end);
  let last = at - 1;
  while (last > pos && (buf[last]! & 127) === 0) last--;
  return last - pos + 1;
}

function droppedCountSize(buf: Uint8Array, pos: number, end: number): number {
  const n = varint32(buf, pos, end) >>> 0;
  return n === 0 ? 0 : 1 + varintSize(n);
}

/** Span.Event: 1 time fixed64, 2 name, 3 attributes, 4 dropped count. */
export function eventSize(buf: Uint8Array, pos: number, end: number): number {
  let size = 0;
  let time = 0;
  let name = 0;
  let dropped = 0;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    if (tag === 9) {
      const next = skip(buf, tag, pos, end);
      time = isZero(buf, pos, next) ? 0 : 9;
      pos = next;
    } else if (tag === 18) {
      const n = length(buf, pos, end);
      name = n > 0 ? fieldSize(n) : 0;
      pos = at + n;
    } else if (tag === 26) {
      const n = length(buf, pos, end);
      const from = at;
      pos = from + n;
      size += fieldSize(keyValueSize(buf, from, pos));
    } else if (tag === 32) {
      dropped = droppedCountSize(buf, pos, end);
      pos = at;
    } else {
      if (tag < 40) fail('wire_type', 'Event field of a wrong wire type', pos);
      pos = skip(buf, tag, pos, end);
    }
  }
  return size + time + name + dropped;
}

/** Span.Link: 1 trace id, 2 span id, 3 trace state, 4 attributes, 5 dropped count, 6 flags fixed32. */
export function linkSize(buf: Uint8Array, pos: number, end: number): number {
  let size = 0;
  let traceId = 0;
  let spanId = 0;
  let state = 0;
  let dropped = 0;
  let flags = 0;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    if (tag === 10 || tag === 18 || tag === 26) {
      const n = length(buf, pos, end);
      const field = n > 0 ? fieldSize(n) : 0;
      if (tag === 10) traceId = field;
      else if (tag === 18) spanId = field;
      else state = field;
      pos = at + n;
    } else if (tag === 34) {
      const n = length(buf, pos, end);
      const from = at;
      pos = from + n;
      size += fieldSize(keyValueSize(buf, from, pos));
    } else if (tag === 40) {
      dropped = droppedCountSize(buf, pos, end);
      pos = at;
    } else if (tag === 53) {
      const next = skip(buf, tag, pos, end);
      flags = isZero(buf, pos, next) ? 0 : 5;
      pos = next;
    } else {
      if (tag < 56) fail('wire_type', 'Link field of a wrong wire type', pos);
      pos = skip(buf, tag, pos, end);
    }
  }
  return size + traceId + spanId + state + dropped + flags;
}

/** Resource: 1 attributes, 2 dropped count, 3 entity refs (its canonical form is taken to be what was sent). */
export function resourceSize(buf: Uint8Array, pos: number, end: number): number {
  let size = 0;
  let dropped = 0;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    if (tag === 10) {
      const n = length(buf, pos, end);
      const from = at;
      pos = from + n;
      size += fieldSize(keyValueSize(buf, from, pos));
    } else if (tag === 16) {
      dropped = droppedCountSize(buf, pos, end);
      pos = at;
    } else if (tag === 26) {
      const n = length(buf, pos, end);
      pos = at + n;
      size += fieldSize(n);
    } else {
      if (tag < 32) fail('wire_type', 'Resource field of a wrong wire type', pos);
      pos = skip(buf, tag, pos, end);
    }
  }
  return size + dropped;
}

/** InstrumentationScope: 1 name, 2 version, 3 attributes, 4 dropped count. */
export function scopeSize(buf: Uint8Array, pos: number, end: number): number {
  let size = 0;
  let name = 0;
  let version = 0;
  let dropped = 0;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    if (tag === 10 || tag === 18) {
      const n = length(buf, pos, end);
      const field = n > 0 ? fieldSize(n) : 0;
      if (tag === 10) name = field;
      else version = field;
      pos = at + n;
    } else if (tag === 26) {
      const n = length(buf, pos, end);
      const from = at;
      pos = from + n;
      size += fieldSize(keyValueSize(buf, from, pos));
    } else if (tag === 32) {
      dropped = droppedCountSize(buf, pos, end);
      pos = at;
    } else {
      if (tag < 40) fail('wire_type', 'InstrumentationScope field of a wrong wire type', pos);
      pos = skip(buf, tag, pos, end);
    }
  }
  return size + name + version + dropped;
}

function isZero(buf: Uint8Array, pos: number, end: number): boolean {
  while (pos < end) if (buf[pos++] !== 0) return false;
  return true;
}
