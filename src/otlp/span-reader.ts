// Reads one span (opentelemetry-proto, trace/v1) into a SpanBatch and measures its canonical size. Hot file: most of the time that
// the fold takes is spent in `read`; no allocation (bench/micro/decode.ts). Must refuse whatever a protobuf decoder refuses. Long, as
// all of one message's reading is here.

import { eventSize, keyEnd, keyStart, keyValueSize, linkSize, valueEnd, valueStart } from './canonical.ts';
import type { ExtractionPlan } from './plan.ts';
import type { SpanBatch } from './span-batch.ts';
import { at, fail, fieldSize, length, skip, tagAt, varint32, varintSize } from './wire.ts';

// An attribute field's first four bytes, little endian: tag 74 and a length below 128, the key's tag 10 and a length below 128.
const PLAIN_MASK = 0x80ff80ff | 0;
const PLAIN_ATTRIBUTE = 0x000a004a;
/** Below this the key is empty: left out in the canonical form. */
const SHORTEST_KEY = 0x01000000;
const END_TIME_TAG = 65;
/** Tag 122, length 0. */
const EMPTY_STATUS = 0x007a;
/** Tag 133, a fixed32. */
const FLAGS_TAG = 0x0185;
/** A value's first four bytes without its two lengths: tag 18, and the tag 10 of a string. */
const PLAIN_STRING = 0x000a0012;

/** Fields that come once, of which only the canonical size is kept: `SpanReader.singles`. */
const DROPPED_ATTRIBUTES = 0;
const DROPPED_EVENTS = 1;
const DROPPED_LINKS = 2;
const STATUS = 3;
const FLAGS = 4;
const SINGLES = 5;

export class SpanReader {
  private readonly batch: SpanBatch;
  private readonly plan: ExtractionPlan;
  /** Sizes of the fields of span `singlesOf` that may come once. */
  private readonly singles = new Int32Array(SINGLES);
  private singlesOf = -1;

  constructor(batch: SpanBatch, plan: ExtractionPlan) {
    this.batch = batch;
    this.plan = plan;
  }

  /** Before the batch numbers its spans anew. */
  forget(): void {
    this.singlesOf = -1;
  }

  /**
   * One span. What the SDKs write first (ids, name, kind, times; Go last) and the runs of plain attributes are read here, with few
   * variables, so that the compiler keeps them in registers; all else is left to `field`, which works on the columns.
   * Returns the canonical size.
   */
  read(buf: Uint8Array, start: number, end: number, resource: number, group: number): number {
    const { batch, plan } = this;
    const i = batch.add();
    const { view, slots, slotStart, slotEnd } = batch;
    const slotBase = i * slots;
    batch.spanStart[i] = start;
    batch.spanEnd[i] = end;
    batch.resource[i] = resource;
    batch.group[i] = group;
    batch.sizeBytes[i] = 0;

    // Numbers that came from a call or an import are tagged values: `| 0` makes plain integers of them (bench/micro/decode.ts).
    let pos = this.head(view, start, end, i) | 0;
    // Bytes that are their own canonical form; what `field` reads is added to the column.
    let plainBytes = (pos - start) | 0;
    for (let fields = 0; ; fields++) {
      // A run of attributes in the shape that nearly all have: key, then a lone string, bool, int or double, all in the
      // shortest form and under 128 bytes. Tag, length, the key's tag and its length are one word, so are those of the value.
      const runStart = pos;
      while (((end - pos) | 0) >= 4) {
        const head = view.getInt32(pos, true);
        const next = (pos + 2 + ((head >>> 8) & 127)) | 0;
        const q = (pos + 4 + (head >>> 24)) | 0;
        const rest = (next - q) | 0;
        if ((head & PLAIN_MASK) !== PLAIN_ATTRIBUTE || head < SHORTEST_KEY || next > end || rest < 4) break;
        const value = view.getInt32(q, true);
        if (value !== (PLAIN_STRING | ((rest - 2) << 8) | ((rest - 4) << 24)) && !isPlainNumber(view, value, q, next))
          break;
        if (plan.mayHave(view, (pos + 4) | 0, q)) {
          const slot = plan.find(view, (pos + 4) | 0, q);
          if (slot >= 0 && slotStart[slotBase + slot]! < 0) {
            slotStart[slotBase + slot] = q + 2;
            slotEnd[slotBase + slot] = next;
          }
        }
        pos = next;
      }
      plainBytes = (plainBytes + pos - runStart) | 0;
      if (pos >= end) break;
      // Nearly always all that is left is an empty status, flags, or both.
      if (fields === 0) {
        let last = pos;
        if (((end - last) | 0) >= 2 && view.getUint16(last, true) === EMPTY_STATUS) last = (last + 2) | 0;
        if (((end - last) | 0) === 6 && view.getUint16(last, true) === FLAGS_TAG && view.getInt32(last + 2, true) !== 0)
          last = end;
        if (last === end) {
          plainBytes = (plainBytes + end - pos) | 0;
          break;
        }
      }
      if (view.getUint8(pos) === END_TIME_TAG) {
        const next = this.tail(view, pos, end, i) | 0;
        plainBytes = (plainBytes + next - pos) | 0;
        if (next !== pos) {
          pos = next;
          continue;
        }
      }
      pos = this.field(buf, pos, end, i) | 0;
    }
    const size = batch.sizeBytes[i]! + plainBytes;
    batch.sizeBytes[i] = size;

    // Both halves are exact and are added once, so the 64-bit difference is rounded once, as one conversion would.
    const { startLow, startHigh, endLow, endHigh } = batch;
    const high = endHigh[i]! - startHigh[i]!;
    const low = endLow[i]! - startLow[i]!;
    batch.seconds[i] = high > 0 || (high === 0 && low > 0) ? (high * 4294967296 + low) / 1e9 : 0;
    return size;
  }

  /**
   * The beginning that the SDKs write: trace id, span id, parent, name, kind, times, each in its shortest form, hence canonical.
   * Returns where that ends: whatever looks otherwise is left to the loop from that field on. Sets every column of the span.
   */
  private head(view: DataView, start: number, end: number, i: number): number {
    const { batch } = this;
    let pos = start | 0;
    const hasIds =
      ((end - pos) | 0) >= 28 && view.getUint16(pos, true) === 0x100a && view.getUint16(pos + 18, true) === 0x0812;
    batch.traceStart[i] = hasIds ? pos + 2 : 0;
    batch.traceLength[i] = hasIds ? 16 : 0;
    batch.idStart[i] = hasIds ? pos + 20 : 0;
    batch.idLength[i] = hasIds ? 8 : 0;
    if (hasIds) pos = (pos + 28) | 0;
    const hasParent = hasIds && ((end - pos) | 0) >= 10 && view.getUint16(pos, true) === 0x0822;
    batch.parentStart[i] = hasParent ? pos + 2 : 0;
    batch.parentLength[i] = hasParent ? 8 : 0;
    if (hasParent) pos = (pos + 10) | 0;
    let nameStart = 0;
    let nameEnd = 0;
    if (hasIds && ((end - pos) | 0) >= 2 && view.getUint8(pos) === 42) {
      const n = view.getUint8(pos + 1);
      if (n > 0 && n < 128 && n <= ((end - pos - 2) | 0)) {
        nameStart = pos + 2;
        nameEnd = pos = (nameStart + n) | 0;
      }
    }
    batch.nameStart[i] = nameStart;
    batch.nameEnd[i] = nameEnd;
    let kind = 0;
    if (hasIds && ((end - pos) | 0) >= 2 && view.getUint8(pos) === 48) {
      const k = view.getUint8(pos + 1);
      if (k > 0 && k < 128) {
        kind = k;
        pos = (pos + 2) | 0;
      }
    }
    batch.kind[i] = kind;
    let startLow = 0;
    let startHigh = 0;
    let endLow = 0;
    let endHigh = 0;
    if (hasIds && ((end - pos) | 0) >= 18 && view.getUint8(pos) === 57 && view.getUint8(pos + 9) === 65) {
      startLow = view.getUint32(pos + 1, true);
      startHigh = view.getUint32(pos + 5, true);
      endLow = view.getUint32(pos + 10, true);
      endHigh = view.getUint32(pos + 14, true);
      pos = (pos + 18) | 0;
      if ((startLow | startHigh) === 0) this.addSize(i, -9);
      if ((endLow | endHigh) === 0) this.addSize(i, -9);
    }
    batch.startLow[i] = startLow;
    batch.startHigh[i] = startHigh;
    batch.endLow[i] = endLow;
    batch.endHigh[i] = endHigh;
    batch.status[i] = 0;
    return pos;
  }

  /**
   * What Go's encoder writes last, as it writes fields descending: end and start time, kind, name, parent, span id, trace id. Like
   * `head`; does nothing where one of these came before. Returns where that ends.
   */
  private tail(view: DataView, start: number, end: number, i: number): number {
    const { batch } = this;
    let pos = start | 0;
    const isBlank =
      (batch.traceLength[i]! | batch.idLength[i]! | batch.parentLength[i]! | batch.kind[i]!) === 0 &&
      batch.nameStart[i] === batch.nameEnd[i] &&
      (batch.startLow[i]! | batch.startHigh[i]! | batch.endLow[i]! | batch.endHigh[i]!) === 0;
    if (!isBlank || ((end - pos) | 0) < 18 || view.getUint8(pos) !== 65 || view.getUint8(pos + 9) !== 57) return pos;
    const endLow = view.getUint32(pos + 1, true);
    const endHigh = view.getUint32(pos + 5, true);
    const startLow = view.getUint32(pos + 10, true);
    const startHigh = view.getUint32(pos + 14, true);
    batch.endLow[i] = endLow;
    batch.endHigh[i] = endHigh;
    batch.startLow[i] = startLow;
    batch.startHigh[i] = startHigh;
    if ((startLow | startHigh) === 0) this.addSize(i, -9);
    if ((endLow | endHigh) === 0) this.addSize(i, -9);
    pos = (pos + 18) | 0;
    if (((end - pos) | 0) >= 2 && view.getUint8(pos) === 48) {
      const kind = view.getUint8(pos + 1);
      if (kind === 0 || kind >= 128) return pos;
      batch.kind[i] = kind;
      pos = (pos + 2) | 0;
    }
    if (((end - pos) | 0) >= 2 && view.getUint8(pos) === 42) {
      const n = view.getUint8(pos + 1);
      if (n === 0 || n >= 128 || n > ((end - pos - 2) | 0)) return pos;
      batch.nameStart[i] = pos + 2;
      pos = (pos + 2 + n) | 0;
      batch.nameEnd[i] = pos;
    }
    if (((end - pos) | 0) >= 10 && view.getUint16(pos, true) === 0x0822) {
      batch.parentStart[i] = pos + 2;
      batch.parentLength[i] = 8;
      pos = (pos + 10) | 0;
    }
    if (((end - pos) | 0) >= 10 && view.getUint16(pos, true) === 0x0812) {
      batch.idStart[i] = pos + 2;
      batch.idLength[i] = 8;
      pos = (pos + 10) | 0;
    }
    if (((end - pos) | 0) >= 18 && view.getUint16(pos, true) === 0x100a) {
      batch.traceStart[i] = pos + 2;
      batch.traceLength[i] = 16;
      pos = (pos + 18) | 0;
    }
    return pos;
  }

  private addSize(i: number, bytes: number): void {
    const { sizeBytes } = this.batch;
    sizeBytes[i] = sizeBytes[i]! + bytes;
  }

  /** Takes the canonical size of a field that may come once into account; one that came before is taken out: the last counts. */
  private single(i: number, which: number, bytes: number): void {
    if (this.singlesOf !== i) {
      this.singlesOf = i;
      this.singles.fill(0);
    }
    this.addSize(i, bytes - this.singles[which]!);
    this.singles[which] = bytes;
  }

  /** Any one field of a span, from its tag on, checked in full. Returns the position after it. */
  private field(buf: Uint8Array, from: number, end: number, i: number): number {
    const { batch } = this;
    const { view } = batch;
    const tag = tagAt(buf, from, end);
    const pos = at;
    // By field number, as that is dense: the compiler makes a table of it.
    switch (tag < 136 ? tag >>> 3 : 0) {
      case 1: {
        if (tag !== 10) wrongType(tag, pos);
        const n = length(buf, pos, end);
        this.addSize(i, bytesSize(n) - bytesSize(batch.traceLength[i]!));
        batch.traceStart[i] = at;
        batch.traceLength[i] = n;
        return at + n;
      }
      case 2: {
        if (tag !== 18) wrongType(tag, pos);
        const n = length(buf, pos, end);
        this.addSize(i, bytesSize(n) - bytesSize(batch.idLength[i]!));
        batch.idStart[i] = at;
        batch.idLength[i] = n;
        return at + n;
      }
      case 3: {
        if (tag !== 26) wrongType(tag, pos);
        const n = length(buf, pos, end);
        this.addSize(i, bytesSize(n) - bytesSize(batch.stateEnd[i]! - batch.stateStart[i]!));
        batch.hasTexts = true;
        batch.stateStart[i] = at;
        batch.stateEnd[i] = at + n;
        return at + n;
      }
      case 4: {
        if (tag !== 34) wrongType(tag, pos);
        const n = length(buf, pos, end);
        this.addSize(i, bytesSize(n) - bytesSize(batch.parentLength[i]!));
        batch.parentStart[i] = at;
        batch.parentLength[i] = n;
        return at + n;
      }
      case 5: {
        if (tag !== 42) wrongType(tag, pos);
        const n = length(buf, pos, end);
        this.addSize(i, bytesSize(n) - bytesSize(batch.nameEnd[i]! - batch.nameStart[i]!));
        batch.nameStart[i] = at;
        batch.nameEnd[i] = at + n;
        return at + n;
      }
      case 6: {
        if (tag !== 48) wrongType(tag, pos);
        const kind = varint32(buf, pos, end);
        this.addSize(i, enumSize(kind) - enumSize(batch.kind[i]!));
        batch.kind[i] = kind;
        return at;
      }
      case 7: {
        if (tag !== 57) wrongType(tag, pos);
        if (end - pos < 8) fail('truncated', 'start time cut off', pos);
        const before = timeSize(batch.startLow[i]!, batch.startHigh[i]!);
        batch.startLow[i] = view.getUint32(pos, true);
        batch.startHigh[i] = view.getUint32(pos + 4, true);
        this.addSize(i, timeSize(batch.startLow[i]!, batch.startHigh[i]!) - before);
        return pos + 8;
      }
      case 8: {
        if (tag !== 65) wrongType(tag, pos);
        if (end - pos < 8) fail('truncated', 'end time cut off', pos);
        const before = timeSize(batch.endLow[i]!, batch.endHigh[i]!);
        batch.endLow[i] = view.getUint32(pos, true);
        batch.endHigh[i] = view.getUint32(pos + 4, true);
        this.addSize(i, timeSize(batch.endLow[i]!, batch.endHigh[i]!) - before);
        return pos + 8;
      }
      case 9: {
        if (tag !== 74) wrongType(tag, pos);
        const n = length(buf, pos, end);
        const next = at + n;
        this.addSize(i, fieldSize(keyValueSize(buf, at, next)));
        const slot = this.plan.find(view, keyStart, keyEnd);
        const where = i * batch.slots + slot;
        if (slot >= 0 && batch.slotStart[where]! < 0) {
          // A key without a value is there, and empty.
          batch.slotStart[where] = valueStart < 0 ? next : valueStart;
          batch.slotEnd[where] = valueStart < 0 ? next : valueEnd;
        }
        return next;
      }
      case 10:
        if (tag !== 80) wrongType(tag, pos);
        this.single(i, DROPPED_ATTRIBUTES, countSize(varint32(buf, pos, end) >>> 0));
        return at;
      case 11: {
        if (tag !== 90) wrongType(tag, pos);
        const n = length(buf, pos, end);
        const next = at + n;
        this.addSize(i, fieldSize(eventSize(buf, at, next)));
        return next;
      }
      case 12:
        if (tag !== 96) wrongType(tag, pos);
        this.single(i, DROPPED_EVENTS, countSize(varint32(buf, pos, end) >>> 0));
        return at;
      case 13: {
        if (tag !== 106) wrongType(tag, pos);
        const n = length(buf, pos, end);
        const next = at + n;
        this.addSize(i, fieldSize(linkSize(buf, at, next)));
        return next;
      }
      case 14:
        if (tag !== 112) wrongType(tag, pos);
        this.single(i, DROPPED_LINKS, countSize(varint32(buf, pos, end) >>> 0));
        return at;
      case 15: {
        if (tag !== 122) wrongType(tag, pos);
        const n = length(buf, pos, end);
        const next = at + n;
        this.status(buf, at, next, i);
        return next;
      }
      case 16:
        if (tag !== 133) wrongType(tag, pos);
        if (end - pos < 4) fail('truncated', 'flags cut off', pos);
        this.single(i, FLAGS, view.getUint32(pos, true) === 0 ? 0 : 6);
        return pos + 4;
      default:
        return skip(buf, tag, pos, end);
    }
  }

  /** Status: 2 message, 3 code (1 is reserved). One that comes twice is merged. */
  private status(buf: Uint8Array, start: number, end: number, i: number): void {
    const { batch } = this;
    for (let pos = start; pos < end; ) {
      const tag = tagAt(buf, pos, end);
      pos = at;
      if (tag === 24) {
        batch.status[i] = varint32(buf, pos, end);
        pos = at;
      } else if (tag === 18) {
        const n = length(buf, pos, end);
        batch.hasTexts = true;
        batch.messageStart[i] = at;
        batch.messageEnd[i] = pos = at + n;
      } else {
        if (tag >= 16 && tag < 32) fail('wire_type', 'Status field of a wrong wire type', pos);
        pos = skip(buf, tag, pos, end);
      }
    }
    const message = batch.messageEnd[i]! - batch.messageStart[i]!;
    this.single(i, STATUS, fieldSize(bytesSize(message) + enumSize(batch.status[i]!)));
  }
}

function timeSize(low: number, high: number): number {
  return (low | high) === 0 ? 0 : 9;
}

function wrongType(tag: number, pos: number): never {
  fail('wire_type', `Span field ${tag >>> 3} of wire type ${tag & 7}`, pos);
}

/** A bytes or string field with a one-byte tag: left out where empty. */
function bytesSize(n: number): number {
  return n === 0 ? 0 : fieldSize(n);
}

/** A uint32 field with a one-byte tag: left out where 0. */
function countSize(n: number): number {
  return n === 0 ? 0 : 1 + varintSize(n);
}

/** Is the attribute value at `q`, whose first four bytes are `value`, a lone int, bool or double in its shortest form? */
function isPlainNumber(view: DataView, value: number, q: number, next: number): boolean {
  if ((value & 0xffff) !== (18 | ((next - q - 2) << 8))) return false;
  switch ((value >>> 16) & 255) {
    case 24: {
      let p = q + 3;
      if (next - p > 10) return false;
      while (p < next && view.getUint8(p) >= 128) p++;
      return p === next - 1 && (view.getUint8(p) !== 0 || next - q === 4);
    }
    case 16:
      return next - q === 4 && value >>> 25 === 0;
    case 33:
      return next - q === 11;
    default:
      return false;
  }
}

/** An enum field with a one-byte tag: left out where 0, sign-extended to ten bytes where negative. */
function enumSize(value: number): number {
  if (value === 0) return 0;
  return value < 0 ? 11 : 1 + varintSize(value);
}
