// Exemplars of the open interval where they are the first spans of each row: value, trace id and span id. A pool that is emptied at
// each boundary. Hot: `add` runs for every span, and does nothing once a row has its own.

import { type ExemplarColumns, MAX_ID_BYTES } from './exemplars.ts';

const TRACE_BYTES = 16;
/** A longer span id is none. */
const SPAN_BYTES = 8;
const ENTRY_BYTES = TRACE_BYTES + SPAN_BYTES;
/** Length of a trace id that is not of 16 bytes. */
const ODD = 255;
const FORGOTTEN = -1;

export interface FirstExemplarColumns extends ExemplarColumns {
  /** Length of each span id; its bytes follow its trace id's. */
  exemplarSpanLengths: Uint32Array;
}

export class FirstExemplars {
  count = 0;
  private readonly most: number;
  /** By row: how many it has, and its newest one's index + 1. */
  private taken: Int32Array;
  private newest: Int32Array;
  /** By exemplar, in the order of the spans; `before` is the index + 1 of the row's one before. */
  private rows = new Int32Array(64);
  private before = new Int32Array(64);
  private buckets = new Int32Array(64);
  private values = new Float64Array(64);
  private ids = new Uint8Array(64 * ENTRY_BYTES);
  private traceLengths = new Uint8Array(64);
  private spanLengths = new Uint8Array(64);
  private readonly oddIds = new Map<number, Uint8Array>();

  /** @param most exemplars of a row */
  constructor(most: number, rows: number) {
    this.most = most;
    this.taken = new Int32Array(rows);
    this.newest = new Int32Array(rows);
  }

  growRows(rows: number): void {
    this.taken = widened(this.taken, rows);
    this.newest = widened(this.newest, rows);
  }

  /**
   * The value is values[index] (see BucketIndex.of), the ids are the bytes of `buf` from their starts on. Without a trace id it is no
   * exemplar.
   */
  add(
    row: number,
    bucket: number,
    values: Float64Array,
    index: number,
    buf: Uint8Array,
    traceStart: number,
    traceLength: number,
    spanStart: number,
    spanLength: number,
  ): void {
    if (this.taken[row]! >= this.most || traceLength > MAX_ID_BYTES || isZero(buf, traceStart, traceLength)) return;
    this.taken[row]!++;
    const i = this.count++;
    if (i === this.rows.length) this.grow();
    this.rows[i] = row;
    this.before[i] = this.newest[row]!;
    this.newest[row] = i + 1;
    this.buckets[i] = bucket;
    this.values[i] = values[index]!;
    const at = i * ENTRY_BYTES;
    this.traceLengths[i] = traceLength === TRACE_BYTES ? TRACE_BYTES : ODD;
    if (traceLength === TRACE_BYTES) copy(buf, traceStart, TRACE_BYTES, this.ids, at);
    else this.oddIds.set(i, buf.slice(traceStart, traceStart + traceLength));
    const hasSpan = spanLength <= SPAN_BYTES && !isZero(buf, spanStart, spanLength);
    this.spanLengths[i] = hasSpan ? spanLength : 0;
    if (hasSpan) copy(buf, spanStart, spanLength, this.ids, at + TRACE_BYTES);
  }

  /** What will be said, in the order of the spans, of the rows that have a place: `places[row]` is it + 1, or 0. */
  columns(places: Int32Array): FirstExemplarColumns {
    const { count, ids } = this;
    const rows = new Uint32Array(count);
    const buckets = new Uint32Array(count);
    const values = new Float64Array(count);
    const lengths = new Uint32Array(count);
    const spanLengths = new Uint32Array(count);
    let room = count * ENTRY_BYTES;
    for (const id of this.oddIds.values()) room += id.length;
    const bytes = new Uint8Array(room);
    let n = 0;
    let top = 0;
    for (let i = 0; i < count; i++) {
      const row = this.rows[i]!;
      if (row === FORGOTTEN || places[row] === 0) continue;
      const at = i * ENTRY_BYTES;
      const odd = this.traceLengths[i] === ODD ? this.oddIds.get(i)! : undefined;
      const traceLength = odd?.length ?? TRACE_BYTES;
      if (odd) bytes.set(odd, top);
      else copy(ids, at, TRACE_BYTES, bytes, top);
      copy(ids, at + TRACE_BYTES, this.spanLengths[i]!, bytes, top + traceLength);
      rows[n] = places[row]! - 1;
      buckets[n] = this.buckets[i]!;
      values[n] = this.values[i]!;
      lengths[n] = traceLength;
      spanLengths[n++] = this.spanLengths[i]!;
      top += traceLength + this.spanLengths[i]!;
    }
    return {
      exemplarRows: rows.slice(0, n),
      exemplarBuckets: buckets.slice(0, n),
      exemplarValues: values.slice(0, n),
      exemplarLengths: lengths.slice(0, n),
      exemplarSpanLengths: spanLengths.slice(0, n),
      exemplarBytes: bytes.slice(0, top),
    };
  }

  clear(): void {
    for (let i = 0; i < this.count; i++) {
      const row = this.rows[i]!;
      if (row === FORGOTTEN) continue;
      this.taken[row] = 0;
      this.newest[row] = 0;
    }
    this.count = 0;
    this.oddIds.clear();
  }

  /** Forgets a row's exemplars: its slot is about to be given to another row. */
  forgetRow(row: number): void {
    for (let i = this.newest[row]! - 1; i >= 0; i = this.before[i]! - 1) this.rows[i] = FORGOTTEN;
    this.taken[row] = 0;
    this.newest[row] = 0;
  }

  /** Bytes of memory held. */
  get sizeBytes(): number {
    return this.taken.length * 8 + this.rows.length * (22 + ENTRY_BYTES);
  }

  private grow(): void {
    const n = this.rows.length * 2;
    this.rows = widened(this.rows, n);
    this.before = widened(this.before, n);
    this.buckets = widened(this.buckets, n);
    this.values = widened(this.values, n);
    this.ids = widened(this.ids, n * ENTRY_BYTES);
    this.traceLengths = widened(this.traceLengths, n);
    this.spanLengths = widened(this.spanLengths, n);
  }
}

function widened<T extends Int32Array | Float64Array | Uint8Array>(old: T, size: number): T {
  const wider = new (old.constructor as new (size: number) => T)(size);
  wider.set(old);
  return wider;
}

function isZero(buf: Uint8Array, start: number, length: number): boolean {
  for (let i = start; i < start + length; i++) if (buf[i] !== 0) return false;
  return true;
}

function copy(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
}
