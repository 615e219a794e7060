// Exemplars of the open interval: per row and bucket the last observation's trace id and value. A pool that is emptied at each
// boundary, so that a row without traffic costs four bytes a bucket and nothing else.

const ID_BYTES = 16;
/** A longer trace id is none: as text it would not fit into the 128 characters that an exemplar's labels may have (OpenMetrics 1.0). */
export const MAX_ID_BYTES = 60;

// A pool entry is one record of 32 bytes, so that an update touches one cache line. As doubles: the value first. As int32:
const ID = 2;
const OWNER = 6;
const LENGTH = 7;
const INTS = 8;
/** LENGTH of an id that is not of 16 bytes; 0 = the last observation had no trace id. */
const ODD = 255;

/** Exemplars one after another; the columns own their buffers, and are stored. */
export interface ExemplarColumns {
  /** Place of the row. */
  exemplarRows: Uint32Array;
  exemplarBuckets: Uint32Array;
  exemplarValues: Float64Array;
  /** Length of each trace id, and their bytes. */
  exemplarLengths: Uint32Array;
  exemplarBytes: Uint8Array;
}

export class ExemplarPool {
  count = 0;
  private readonly perRow: number;
  /** Row × bucket → pool index + 1; 0 = none. */
  private slots: Int32Array;
  private values = new Float64Array((64 * INTS) / 2);
  private ints = new Int32Array(this.values.buffer);
  private readonly oddIds = new Map<number, Uint8Array>();

  constructor(perRow: number, rows: number) {
    this.perRow = perRow;
    this.slots = new Int32Array(rows * perRow);
  }

  growRows(rows: number): void {
    const wider = new Int32Array(rows * this.perRow);
    wider.set(this.slots);
    this.slots = wider;
  }

  /** The value is values[index] (see BucketIndex.of), the trace id the 16 bytes of `view` from `start` on. Hot; `set` takes all else. */
  setId(row: number, bucket: number, values: Float64Array, index: number, view: DataView, start: number): void {
    const owner = row * this.perRow + bucket;
    let i = this.slots[owner]! - 1;
    if (i < 0) i = this.add(owner);
    const { ints } = this;
    const o = i * INTS;
    this.values[o >> 1] = values[index]!;
    ints[o + ID] = view.getInt32(start, true);
    ints[o + ID + 1] = view.getInt32(start + 4, true);
    ints[o + ID + 2] = view.getInt32(start + 8, true);
    ints[o + ID + 3] = view.getInt32(start + 12, true);
    ints[o + LENGTH] = ID_BYTES;
  }

  /** `setId` or `set`, as the id is. */
  setAny(
    row: number,
    bucket: number,
    values: Float64Array,
    index: number,
    buf: Uint8Array,
    view: DataView,
    start: number,
    length: number,
  ): void {
    if (length === ID_BYTES) this.setId(row, bucket, values, index, view, start);
    else this.set(row, bucket, values[index]!, buf, start, length);
  }

  /** The trace id is buf[start, start + length). */
  set(row: number, bucket: number, value: number, buf: Uint8Array, start: number, length: number): void {
    if (length === ID_BYTES) {
      this.setId(row, bucket, Float64Array.of(value), 0, new DataView(buf.buffer, buf.byteOffset, buf.length), start);
      return;
    }
    const hasId = length > 0 && length <= MAX_ID_BYTES;
    const owner = row * this.perRow + bucket;
    let i = this.slots[owner]! - 1;
    if (i < 0) {
      if (!hasId) return;
      i = this.add(owner);
    }
    this.values[(i * INTS) >> 1] = value;
    if (hasId) this.oddIds.set(i, buf.slice(start, start + length));
    this.ints[i * INTS + LENGTH] = hasId ? ODD : 0;
  }

  /**
   * What will be said, in order of first sight: exemplars whose last observation had a trace id that isn't all zeros, of the rows that
   * have a place: `places[row]` is it + 1, or 0.
   */
  columns(places: Int32Array): ExemplarColumns {
    const { ints, values, count, perRow } = this;
    const bytes = new Uint8Array(ints.buffer);
    const rows = new Uint32Array(count);
    const buckets = new Uint32Array(count);
    const said = new Float64Array(count);
    const lengths = new Uint32Array(count);
    let room = count * ID_BYTES;
    for (const id of this.oddIds.values()) room += id.length;
    const ids = new Uint8Array(room);
    let n = 0;
    let top = 0;
    for (let i = 0; i < count; i++) {
      const o = i * INTS;
      const owner = ints[o + OWNER]!;
      const row = Math.floor(owner / perRow);
      if (ints[o + LENGTH] === 0 || places[row] === 0) continue;
      const start = top;
      if (ints[o + LENGTH] === ID_BYTES) {
        if ((ints[o + ID]! | ints[o + ID + 1]! | ints[o + ID + 2]! | ints[o + ID + 3]!) === 0) continue;
        for (let at = (o + ID) * 4, end = at + ID_BYTES; at < end; at++) ids[top++] = bytes[at]!;
      } else {
        const id = this.oddIds.get(i)!;
        if (id.every((b) => b === 0)) continue;
        ids.set(id, top);
        top += id.length;
      }
      rows[n] = places[row]! - 1;
      buckets[n] = owner - row * perRow;
      said[n] = values[o >> 1]!;
      lengths[n++] = top - start;
    }
    return {
      exemplarRows: rows.slice(0, n),
      exemplarBuckets: buckets.slice(0, n),
      exemplarValues: said.slice(0, n),
      exemplarLengths: lengths.slice(0, n),
      exemplarBytes: ids.slice(0, top),
    };
  }

  clear(): void {
    for (let i = 0; i < this.count; i++) this.slots[this.ints[i * INTS + OWNER]!] = 0;
    this.count = 0;
    this.oddIds.clear();
  }

  /** Forgets a row's exemplars: its slot is about to be given to another row. */
  forgetRow(row: number): void {
    const from = row * this.perRow;
    for (let owner = from; owner < from + this.perRow; owner++) {
      const i = this.slots[owner]! - 1;
      if (i < 0) continue;
      this.ints[i * INTS + LENGTH] = 0;
      this.slots[owner] = 0;
    }
  }

  /** Bytes of memory held. */
  get sizeBytes(): number {
    return this.slots.length * 4 + this.ints.length * 4;
  }

  private add(owner: number): number {
    const i = this.count++;
    if ((i + 1) * INTS > this.ints.length) this.grow();
    this.slots[owner] = i + 1;
    this.ints[i * INTS + OWNER] = owner;
    return i;
  }

  private grow(): void {
    const values = new Float64Array(this.values.length * 2);
    values.set(this.values);
    this.values = values;
    this.ints = new Int32Array(values.buffer);
  }
}

/** A trace id as exemplars spell it: lower-case hex without leading zeros. */
export function traceIdText(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('hex').replace(/^0+/, '');
}
