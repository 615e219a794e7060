// Exemplars of the open interval: per row and bucket the last observation's trace id and value. A pool that is emptied at each
// boundary, so that a row without traffic costs four bytes a bucket and nothing else.

const ID_BYTES = 16;

export class ExemplarPool {
  count = 0;
  private readonly perRow: number;
  /** Row × bucket → pool index + 1; 0 = none. */
  private slots: Int32Array;
  private owners = new Int32Array(64);
  private values = new Float64Array(64);
  /** 0 = the last observation had no trace id. */
  private lengths = new Uint8Array(64);
  private ids = new Uint8Array(64 * ID_BYTES);
  private readonly longIds = new Map<number, Uint8Array>();

  constructor(perRow: number, rows: number) {
    this.perRow = perRow;
    this.slots = new Int32Array(rows * perRow);
  }

  growRows(rows: number): void {
    const wider = new Int32Array(rows * this.perRow);
    wider.set(this.slots);
    this.slots = wider;
  }

  /** The trace id is buf[start, start + length). */
  set(row: number, bucket: number, value: number, buf: Uint8Array, start: number, length: number): void {
    const owner = row * this.perRow + bucket;
    let i = this.slots[owner]! - 1;
    if (i < 0) {
      if (length === 0) return;
      i = this.count++;
      if (i === this.owners.length) this.grow();
      this.slots[owner] = i + 1;
      this.owners[i] = owner;
    }
    this.values[i] = value;
    if (length === ID_BYTES) {
      const { ids } = this;
      const o = i * ID_BYTES;
      for (let k = 0; k < ID_BYTES; k++) ids[o + k] = buf[start + k]!;
      this.lengths[i] = ID_BYTES;
    } else {
      this.longIds.set(i, buf.slice(start, start + length));
      this.lengths[i] = length === 0 ? 0 : 255;
    }
  }

  /** Visits what will be said: exemplars whose last observation had a trace id that isn't all zeros, in order of first sight. */
  visit(visitor: (row: number, bucket: number, value: number, traceId: Uint8Array) => void): void {
    for (let i = 0; i < this.count; i++) {
      if (this.lengths[i] === 0) continue;
      const id = this.lengths[i] === ID_BYTES ? this.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES) : this.longIds.get(i)!;
      if (id.every((b) => b === 0)) continue;
      const owner = this.owners[i]!;
      visitor(Math.floor(owner / this.perRow), owner % this.perRow, this.values[i]!, id);
    }
  }

  clear(): void {
    for (let i = 0; i < this.count; i++) this.slots[this.owners[i]!] = 0;
    this.count = 0;
    this.longIds.clear();
  }

  /** Forgets a row's exemplars: its slot is about to be given to another row. */
  forgetRow(row: number): void {
    const from = row * this.perRow;
    for (let owner = from; owner < from + this.perRow; owner++) {
      const i = this.slots[owner]! - 1;
      if (i < 0) continue;
      this.lengths[i] = 0;
      this.slots[owner] = 0;
    }
  }

  private grow(): void {
    const n = this.owners.length * 2;
    const owners = new Int32Array(n);
    owners.set(this.owners);
    const values = new Float64Array(n);
    values.set(this.values);
    const lengths = new Uint8Array(n);
    lengths.set(this.lengths);
    const ids = new Uint8Array(n * ID_BYTES);
    ids.set(this.ids);
    Object.assign(this, { owners, values, lengths, ids });
  }
}

/** A trace id as exemplars spell it: lower-case hex without leading zeros. */
export function traceIdText(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('hex').replace(/^0+/, '');
}
