// The spans of one request as columns: what the decoder fills and the processors read. Positions point into `bytes`. Reused from
// request to request, so a span costs no allocation. Everything is staged here before a processor sees any of it: a request that turns
// out to be damaged in its last byte has counted nothing. What few processors want and the decoder passes over is read again here.

import { keyEnd, keyStart, keyValueSize, valueEnd, valueStart } from './canonical.ts';
import { at, length, skip, tagAt } from './wire.ts';

// Tags of opentelemetry-proto, trace/v1.
const RESOURCE_SPANS_TAG = 10;
const SCOPE_SPANS_TAG = 18;
const SCOPE_TAG = 10;
const ATTRIBUTE_TAG = 74;
// Of common/v1, InstrumentationScope.
const NAME_TAG = 10;
const VERSION_TAG = 18;
// An attribute's first four bytes, little endian: its tag and a length below 128, the key's tag and a length below 128.
const PLAIN_MASK = 0x80ff80ff | 0;
const PLAIN_ATTRIBUTE = 0x000a004a;
const VALUE_TAG = 18;
/** Columns of `scopeRanges`. */
const SCOPE_COLUMNS = 5;

export class SpanBatch {
  /** All of the memory that the request lies in, so that requests which came together share one array and one view. */
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  /** The request. */
  requestStart = 0;
  requestEnd = 0;
  count = 0;
  /** Slots per span: the length of the extraction plan. */
  readonly slots: number;

  /** Range of the whole span message. */
  spanStart!: Int32Array;
  spanEnd!: Int32Array;
  traceStart!: Int32Array;
  traceLength!: Int32Array;
  idStart!: Int32Array;
  idLength!: Int32Array;
  parentStart!: Int32Array;
  parentLength!: Int32Array;
  nameStart!: Int32Array;
  nameEnd!: Int32Array;
  stateStart!: Int32Array;
  stateEnd!: Int32Array;
  messageStart!: Int32Array;
  messageEnd!: Int32Array;
  kind!: Int32Array;
  status!: Int32Array;
  startLow!: Uint32Array;
  startHigh!: Uint32Array;
  endLow!: Uint32Array;
  endHigh!: Uint32Array;
  /** (end - start) / 1e9, 0 where negative. */
  seconds!: Float64Array;
  /** Canonical size of the span in bytes. */
  sizeBytes!: Float64Array;
  /** Index into the decoder's resources. */
  resource!: Int32Array;
  /** Which ResourceSpans of the request the span is in: target info is said once for each. */
  group!: Int32Array;
  /** 0 = the span is outside the slack window: for the processors it does not exist. */
  kept!: Uint8Array;
  /** `slots` per span: range of the AnyValue of the first attribute with the slot's key; start < 0 = absent. */
  slotStart!: Int32Array;
  slotEnd!: Int32Array;

  /** Per ResourceSpans, in order: the resource, also of those without spans. */
  groups = 0;
  groupResource = new Int32Array(16);

  /** Whoever sets a trace state or a status message says so here: `truncate` takes it away again. */
  hasTexts = false;
  /** After `nextAttribute`: key and AnyValue; a key without a value has an empty one. */
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** After `findScopes`: of each ScopeSpans, in order, its end, and start and end of the scope's name and of its version; empty: none. */
  scopeRanges = new Int32Array(16 * SCOPE_COLUMNS);
  scopes = 0;
  private attributesFrom = 0;
  private attributesEnd = 0;
  private capacity = 0;

  constructor(slots: number) {
    this.slots = slots;
    this.grow(64);
  }

  /** Forgets the request before. Returns where in `bytes` this one begins. */
  reset(request: Uint8Array): number {
    const memory = request.buffer;
    if (memory !== this.view.buffer) {
      this.view = new DataView(memory);
      // Never a Buffer: with two kinds of arrays every access in the decoder would have to tell them apart.
      this.bytes = new Uint8Array(memory);
    }
    this.truncate(0, 0);
    this.requestStart = request.byteOffset;
    this.requestEnd = request.byteOffset + request.length;
    return request.byteOffset;
  }

  /**
   * Forgets the spans and groups from these on. Spans are made blank here, all at once, and not one by one in `add`: a fill is
   * cheaper than its stores (bench/micro/decode.ts).
   */
  truncate(count: number, groups: number): void {
    this.slotStart.fill(-1, count * this.slots, this.count * this.slots);
    if (this.hasTexts) {
      for (const column of [this.stateStart, this.stateEnd, this.messageStart, this.messageEnd]) {
        column.fill(0, count, this.count);
      }
      this.hasTexts = count > 0;
    }
    this.count = count;
    this.groups = groups;
  }

  /** Value ranges of a span's attributes with this key, all of them in order. Not for the hot path: it reads the span again. */
  duplicates(span: number, key: Uint8Array): [start: number, end: number][] {
    const ranges: [number, number][] = [];
    const buf = this.bytes;
    for (let pos = this.spanStart[span]!; pos < this.spanEnd[span]!; ) {
      const tag = tagAt(buf, pos, this.spanEnd[span]!);
      const body = at;
      pos = skip(buf, tag, body, this.spanEnd[span]!);
      if (tag !== ATTRIBUTE_TAG) continue;
      const n = length(buf, body, pos);
      keyValueSize(buf, at, at + n);
      if (valueStart >= 0 && Buffer.compare(buf.subarray(keyStart, keyEnd), key) === 0)
        ranges.push([valueStart, valueEnd]);
    }
    return ranges;
  }

  /** To be followed by `nextAttribute`. */
  firstAttribute(span: number): void {
    this.attributesFrom = this.spanStart[span]!;
    this.attributesEnd = this.spanEnd[span]!;
  }

  /**
   * The next attribute of the span, planned or not; false where there are no more. Reads the span again, without an allocation. Hot
   * where somebody asks; the shape that nearly all attributes have comes first.
   */
  nextAttribute(): boolean {
    const { bytes, view, attributesEnd: end } = this;
    let pos = this.attributesFrom;
    while (pos < end) {
      if (end - pos >= 6) {
        const head = view.getInt32(pos, true);
        const next = pos + 2 + ((head >>> 8) & 127);
        const q = pos + 4 + (head >>> 24);
        if ((head & PLAIN_MASK) === PLAIN_ATTRIBUTE && bytes[q] === VALUE_TAG && q + 2 + bytes[q + 1]! === next) {
          this.keyStart = pos + 4;
          this.keyEnd = q;
          this.valueStart = q + 2;
          this.valueEnd = next;
          this.attributesFrom = next;
          return true;
        }
      }
      const tag = tagAt(bytes, pos, end);
      const body = at;
      pos = skip(bytes, tag, body, end);
      if (tag !== ATTRIBUTE_TAG) continue;
      this.attributesFrom = pos;
      length(bytes, body, pos);
      keyValueSize(bytes, at, pos);
      this.keyStart = keyStart;
      this.keyEnd = keyEnd;
      this.valueStart = valueStart < 0 ? pos : valueStart;
      this.valueEnd = valueStart < 0 ? pos : valueEnd;
      return true;
    }
    this.attributesFrom = end;
    return false;
  }

  /** Reads the request again, but for its spans: they are in the order of their bytes, like the scopes. */
  findScopes(): void {
    const { bytes, requestEnd } = this;
    this.scopes = 0;
    for (let pos = this.requestStart; pos < requestEnd; ) {
      const tag = tagAt(bytes, pos, requestEnd);
      let inner = at;
      pos = skip(bytes, tag, inner, requestEnd);
      if (tag !== RESOURCE_SPANS_TAG) continue;
      length(bytes, inner, pos);
      for (inner = at; inner < pos; ) {
        const innerTag = tagAt(bytes, inner, pos);
        const body = at;
        inner = skip(bytes, innerTag, body, pos);
        if (innerTag !== SCOPE_SPANS_TAG) continue;
        length(bytes, body, inner);
        this.addScope(at, inner);
      }
    }
  }

  /** A scope that comes twice is merged: of each field the last counts. */
  private addScope(start: number, end: number): void {
    const { bytes } = this;
    const o = this.scopes++ * SCOPE_COLUMNS;
    if (o === this.scopeRanges.length) {
      const wider = new Int32Array(2 * o);
      wider.set(this.scopeRanges);
      this.scopeRanges = wider;
    }
    const { scopeRanges } = this;
    scopeRanges.fill(0, o, o + SCOPE_COLUMNS);
    scopeRanges[o] = end;
    for (let pos = start; pos < end; ) {
      const tag = tagAt(bytes, pos, end);
      const body = at;
      pos = skip(bytes, tag, body, end);
      if (tag !== SCOPE_TAG) continue;
      length(bytes, body, pos);
      for (let inner = at; inner < pos; ) {
        const innerTag = tagAt(bytes, inner, pos);
        const value = at;
        inner = skip(bytes, innerTag, value, pos);
        if (innerTag !== NAME_TAG && innerTag !== VERSION_TAG) continue;
        length(bytes, value, inner);
        const column = innerTag === NAME_TAG ? o + 1 : o + 3;
        scopeRanges[column] = at;
        scopeRanges[column + 1] = inner;
      }
    }
  }

  /** Makes room for one more span and returns its index. Its slots are absent, its trace state and message empty; the rest is old. */
  add(): number {
    if (this.count === this.capacity) this.grow(this.capacity * 2);
    return this.count++;
  }

  addGroup(resource: number): number {
    if (this.groups === this.groupResource.length) {
      const wider = new Int32Array(this.groups * 2);
      wider.set(this.groupResource);
      this.groupResource = wider;
    }
    this.groupResource[this.groups] = resource;
    return this.groups++;
  }

  private grow(capacity: number): void {
    const int = (old: Int32Array | undefined, width = 1) => {
      const wider = new Int32Array(capacity * width);
      if (old) wider.set(old);
      return wider;
    };
    const uint = (old: Uint32Array | undefined) => {
      const wider = new Uint32Array(capacity);
      if (old) wider.set(old);
      return wider;
    };
    const double = (old: Float64Array | undefined) => {
      const wider = new Float64Array(capacity);
      if (old) wider.set(old);
      return wider;
    };
    this.spanStart = int(this.spanStart);
    this.spanEnd = int(this.spanEnd);
    this.traceStart = int(this.traceStart);
    this.traceLength = int(this.traceLength);
    this.idStart = int(this.idStart);
    this.idLength = int(this.idLength);
    this.parentStart = int(this.parentStart);
    this.parentLength = int(this.parentLength);
    this.nameStart = int(this.nameStart);
    this.nameEnd = int(this.nameEnd);
    this.stateStart = int(this.stateStart);
    this.stateEnd = int(this.stateEnd);
    this.messageStart = int(this.messageStart);
    this.messageEnd = int(this.messageEnd);
    this.kind = int(this.kind);
    this.status = int(this.status);
    this.startLow = uint(this.startLow);
    this.startHigh = uint(this.startHigh);
    this.endLow = uint(this.endLow);
    this.endHigh = uint(this.endHigh);
    this.seconds = double(this.seconds);
    this.sizeBytes = double(this.sizeBytes);
    this.resource = int(this.resource);
    this.group = int(this.group);
    this.kept = new Uint8Array(capacity);
    const before = this.capacity * this.slots;
    this.slotStart = int(this.slotStart, this.slots).fill(-1, before);
    this.slotEnd = int(this.slotEnd, this.slots);
    this.capacity = capacity;
  }
}
