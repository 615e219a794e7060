// The spans of one request as columns: what the decoder fills and the processors read. Positions point into `bytes`. Reused from request to request, so a span costs no allocation. Everything is staged here before a processor sees
// any of it: a request that turns out to be damaged in its last byte has counted nothing.

import { keyEnd, keyStart, keyValueSize, valueEnd, valueStart } from './canonical.ts';
import { at, length, skip, tagAt } from './wire.ts';

export class SpanBatch {
  /** All of the memory that the request lies in, so that requests which came together share one array and one view. */
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
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
      if (tag !== 74) continue;
      const n = length(buf, body, pos);
      keyValueSize(buf, at, at + n);
      if (valueStart >= 0 && Buffer.compare(buf.subarray(keyStart, keyEnd), key) === 0)
        ranges.push([valueStart, valueEnd]);
    }
    return ranges;
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
