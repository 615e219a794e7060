// Takes a request that was walked before apart by partition: each part has the resource, scope, schema URLs and unknown fields
// of its spans, and the spans' bytes as they came, in their order. Scopes and resources without a span of the part are left out.
// Must hold nothing as objects of which a request may have millions: of an empty span, in two bytes, they took two hundred.

import { CopiesTooLarge } from './errors.ts';

export interface RequestPart {
  partition: number;
  bytes: Uint8Array;
}

const REPEATED_1 = 10;
const REPEATED_2 = 18;
const NONE = -1;
const REQUEST = 0;

/** Elements that a column keeps from one request to the next. */
const KEPT = 1 << 14;

/** Numbers in a row that grows. */
class Column {
  values = new Int32Array(64);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const wider = new Int32Array(this.length * 2);
      wider.set(this.values);
      this.values = wider;
    }
    this.values[this.length++] = value;
  }

  reset(): void {
    this.length = 0;
    if (this.values.length > KEPT) this.values = new Int32Array(KEPT);
  }
}

// Where everything is. A frame is the request, a resource or a scope: a list of the byte ranges of all that is in it but its children,
// which are distributed. Frames without a span are not kept, but for the request, which is the first.
/** Per range [from, to): the frame's next one. */
const rangeFrom = new Column();
const rangeTo = new Column();
const rangeNext = new Column();
/** Per frame: its first and last range, the bytes of all of them, and the frame around it. */
const firstRange = new Column();
const lastRange = new Column();
const rangeBytes = new Column();
const around = new Column();
/** Per span: its scope, and the range of its bytes with tag and length. */
const scopeOf = new Column();
const spanFrom = new Column();
const spanTo = new Column();
/** The spans by partition, and those of one in their order. */
const order = new Column();

/** Frames of a part, in their order: how large each is there, and how many children it has in it. */
interface Groups {
  frame: Column;
  size: Column;
  members: Column;
}
const scopes: Groups = { frame: new Column(), size: new Column(), members: new Column() };
const resources: Groups = { frame: new Column(), size: new Column(), members: new Column() };

const RANGES = [rangeFrom, rangeTo, rangeNext];
const FRAMES = [firstRange, lastRange, rangeBytes, around];
const GROUPS = [...Object.values(scopes), ...Object.values(resources)];

let at = 0;

/**
 * `bytes` must have passed the walk; `partitionOf[i]` is the partition of its ith span. Parts ascend by partition.
 * @throws CopiesTooLarge if all parts together would have more than `maxCopiedBytes` bytes more than the request
 */
export function rebuild(
  bytes: Uint8Array,
  spans: number,
  partitionOf: Int32Array,
  maxCopiedBytes: number,
): RequestPart[] {
  for (const column of [...RANGES, ...FRAMES, scopeOf, spanFrom, spanTo, order]) column.reset();
  openFrame(NONE);
  outlineRequest(bytes);

  let last = 0;
  for (let i = 0; i < spans; i++) if (partitionOf[i]! > last) last = partitionOf[i]!;
  /** By partition, where its next span goes in `order`: at the end, where those of the next partition begin. */
  const place = new Int32Array(last + 2);
  for (let i = 0; i < spans; i++) {
    place[partitionOf[i]! + 1]!++;
    order.push(0);
  }
  for (let partition = 0; partition <= last; partition++) place[partition + 1]! += place[partition]!;
  for (let i = 0; i < spans; i++) order.values[place[partitionOf[i]!]!++] = i;

  const parts: RequestPart[] = [];
  let left = bytes.length + maxCopiedBytes;
  for (let partition = 0, from = 0; partition <= last; partition++) {
    const to = place[partition]!;
    if (to === from) continue;
    const part = writePart(bytes, from, to, left);
    if (part === undefined) throw new CopiesTooLarge(maxCopiedBytes);
    left -= part.length;
    parts.push({ partition, bytes: part });
    from = to;
  }
  return parts;
}

function outlineRequest(buf: Uint8Array): void {
  for (let pos = 0; pos < buf.length; ) {
    const start = pos;
    const tag = varint(buf, pos);
    const body = skip(buf, tag, at);
    pos = at;
    if (tag === REPEATED_1) outlineResource(buf, body, pos);
    else addRange(REQUEST, start, pos);
  }
}

function outlineResource(buf: Uint8Array, from: number, end: number): void {
  const spans = spanFrom.length;
  const ranges = rangeFrom.length;
  const resource = openFrame(REQUEST);
  for (let pos = from; pos < end; ) {
    const start = pos;
    const tag = varint(buf, pos);
    const body = skip(buf, tag, at);
    pos = at;
    if (tag === REPEATED_2) outlineScope(buf, body, pos, resource);
    else addRange(resource, start, pos);
  }
  if (spanFrom.length === spans) dropFrame(resource, ranges);
}

function outlineScope(buf: Uint8Array, from: number, end: number, resource: number): void {
  const spans = spanFrom.length;
  const ranges = rangeFrom.length;
  const scope = openFrame(resource);
  for (let pos = from; pos < end; ) {
    const start = pos;
    const tag = varint(buf, pos);
    skip(buf, tag, at);
    pos = at;
    if (tag === REPEATED_2) {
      scopeOf.push(scope);
      spanFrom.push(start);
      spanTo.push(pos);
    } else addRange(scope, start, pos);
  }
  if (spanFrom.length === spans) dropFrame(scope, ranges);
}

function openFrame(parent: number): number {
  firstRange.push(NONE);
  lastRange.push(NONE);
  rangeBytes.push(0);
  around.push(parent);
  return around.length - 1;
}

/** The newest frame, and the ranges behind the first `ranges`, which are its own. */
function dropFrame(frame: number, ranges: number): void {
  for (const column of FRAMES) column.length = frame;
  for (const column of RANGES) column.length = ranges;
}

/** Neighbours become one range. */
function addRange(frame: number, from: number, to: number): void {
  const last = lastRange.values[frame]!;
  rangeBytes.values[frame]! += to - from;
  if (last !== NONE && rangeTo.values[last] === from) {
    rangeTo.values[last] = to;
    return;
  }
  const range = rangeFrom.length;
  rangeFrom.push(from);
  rangeTo.push(to);
  rangeNext.push(NONE);
  if (last === NONE) firstRange.values[frame] = range;
  else rangeNext.values[last] = range;
  lastRange.values[frame] = range;
}

/** A child of so many bytes in the frame: the last group's, or the first of a new one. */
function addMember({ frame, size, members }: Groups, index: number, childBytes: number): void {
  let group = frame.length - 1;
  if (group < 0 || frame.values[group] !== index) {
    frame.push(index);
    size.push(rangeBytes.values[index]!);
    members.push(0);
    group++;
  }
  size.values[group]! += childBytes;
  members.values[group]!++;
}

/**
 * The part of the spans `order[from .. to)`. Sizes first, from the inside out, then one allocation of the exact size and one pass of
 * copies. Undefined, and nothing done, if it would be larger than `maxBytes`.
 */
function writePart(bytes: Uint8Array, from: number, to: number, maxBytes: number): Uint8Array | undefined {
  for (const column of GROUPS) column.reset();
  for (let i = from; i < to; i++) {
    const span = order.values[i]!;
    addMember(scopes, scopeOf.values[span]!, spanTo.values[span]! - spanFrom.values[span]!);
  }
  for (let i = 0; i < scopes.frame.length; i++) {
    const size = scopes.size.values[i]!;
    addMember(resources, around.values[scopes.frame.values[i]!]!, 1 + varintSize(size) + size);
  }
  let total = rangeBytes.values[REQUEST]!;
  for (let i = 0; i < resources.frame.length; i++) {
    const size = resources.size.values[i]!;
    total += 1 + varintSize(size) + size;
  }
  if (total > maxBytes) return undefined;

  const out = new Uint8Array(total);
  let pos = copyRanges(bytes, REQUEST, out, 0);
  let scope = 0;
  let next = from;
  for (let resource = 0; resource < resources.frame.length; resource++) {
    pos = writeHead(out, pos, REPEATED_1, resources.size.values[resource]!);
    pos = copyRanges(bytes, resources.frame.values[resource]!, out, pos);
    for (const lastScope = scope + resources.members.values[resource]!; scope < lastScope; scope++) {
      pos = writeHead(out, pos, REPEATED_2, scopes.size.values[scope]!);
      pos = copyRanges(bytes, scopes.frame.values[scope]!, out, pos);
      const last = next + scopes.members.values[scope]!;
      while (next < last) {
        const start = spanFrom.values[order.values[next]!]!;
        let end = spanTo.values[order.values[next++]!]!;
        while (next < last && spanFrom.values[order.values[next]!] === end) end = spanTo.values[order.values[next++]!]!;
        pos = copy(bytes, start, end, out, pos);
      }
    }
  }
  return out;
}

function copyRanges(bytes: Uint8Array, frame: number, out: Uint8Array, pos: number): number {
  for (let range = firstRange.values[frame]!; range !== NONE; range = rangeNext.values[range]!) {
    pos = copy(bytes, rangeFrom.values[range]!, rangeTo.values[range]!, out, pos);
  }
  return pos;
}

/** A view costs as much as some dozens of bytes. */
const FEW_BYTES = 48;

function copy(bytes: Uint8Array, from: number, to: number, out: Uint8Array, pos: number): number {
  if (to - from > FEW_BYTES) out.set(bytes.subarray(from, to), pos);
  else for (let i = from; i < to; i++) out[pos + i - from] = bytes[i]!;
  return pos + to - from;
}

function writeHead(out: Uint8Array, pos: number, tag: number, size: number): number {
  out[pos++] = tag;
  for (; size >= 128; size >>>= 7) out[pos++] = (size & 127) | 128;
  out[pos++] = size;
  return pos;
}

function varintSize(value: number): number {
  let size = 1;
  for (; value >= 128; value >>>= 7) size++;
  return size;
}

/** Of known good bytes; leaves the position after it in `at`. Exact below 2^53, which lengths and tags are. */
function varint(buf: Uint8Array, pos: number): number {
  let byte = buf[pos++]!;
  let value = byte & 127;
  for (let factor = 128; byte >= 128; factor *= 128) {
    byte = buf[pos++]!;
    value += (byte & 127) * factor;
  }
  at = pos;
  return value;
}

/** Returns where the value begins and leaves the position after it in `at`. */
function skip(buf: Uint8Array, tag: number, pos: number): number {
  switch (tag % 8) {
    case 0:
      varint(buf, pos);
      return pos;
    case 1:
      at = pos + 8;
      return pos;
    case 5:
      at = pos + 4;
      return pos;
    default: {
      const size = varint(buf, pos);
      const body = at;
      at = body + size;
      return body;
    }
  }
}
