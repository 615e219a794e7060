// A protobuf writer that fills its buffer from the end towards the start: when a message's length is to be written, its
// body is already there and has been measured. Must never hand out its own buffer: it is used again.

const KEEP_BYTES = 1 << 20;

export class BackWriter {
  #buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #view = new DataView(this.#buffer.buffer);
  /** Position of the first byte written so far. Two of these, subtracted, are a length. */
  pos = this.#buffer.length;

  /** Forgets what was written, and a buffer that one large request left behind. */
  reset(): void {
    if (this.#buffer.length > KEEP_BYTES) this.#use(Buffer.allocUnsafeSlow(KEEP_BYTES));
    this.pos = this.#buffer.length;
  }

  /** A copy of everything written since `reset`. */
  finish(): Uint8Array {
    return new Uint8Array(this.#buffer.subarray(this.pos));
  }

  /** The distance of `pos` from the end; unlike `pos` it survives growth. */
  written(): number {
    return this.#buffer.length - this.pos;
  }

  byte(value: number): void {
    if (this.pos < 1) this.#grow(1);
    this.#buffer[--this.pos] = value;
  }

  /** A varint of an unsigned 32-bit value. */
  varint(value: number): void {
    if (value < 128) {
      this.byte(value);
      return;
    }
    this.varint64(value >>> 0, 0);
  }

  /** A varint of the 64-bit value made of two unsigned 32-bit halves. */
  varint64(low: number, high: number): void {
    if (this.pos < 10) this.#grow(10);
    const size = varintSize(low, high);
    this.pos -= size;
    let at = this.pos;
    for (let left = size; left > 1; left--) {
      this.#buffer[at++] = (low & 127) | 128;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[at] = low;
  }

  fixed32(value: number): void {
    if (this.pos < 4) this.#grow(4);
    this.pos -= 4;
    this.#view.setUint32(this.pos, value, true);
  }

  fixed64(low: number, high: number): void {
    this.fixed32(high);
    this.fixed32(low);
  }

  double(value: number): void {
    if (this.pos < 8) this.#grow(8);
    this.pos -= 8;
    this.#view.setFloat64(this.pos, value, true);
  }

  bytes(value: Uint8Array): void {
    if (this.pos < value.length) this.#grow(value.length);
    this.pos -= value.length;
    this.#buffer.set(value, this.pos);
  }

  /** Text as UTF-8; a surrogate without its partner becomes U+FFFD. */
  text(value: string): void {
    const length = value.length;
    if (length <= 48) {
      if (this.pos < length) this.#grow(length);
      const buffer = this.#buffer;
      let at = this.pos;
      let i = length;
      while (i > 0) {
        const code = value.charCodeAt(i - 1);
        if (code > 127) break;
        buffer[--at] = code;
        i--;
      }
      if (i === 0) {
        this.pos = at;
        return;
      }
    }
    const whole = value.toWellFormed();
    const size = Buffer.byteLength(whole);
    if (this.pos < size) this.#grow(size);
    this.pos -= size;
    this.#buffer.write(whole, this.pos, size, 'utf8');
  }

  #grow(need: number): void {
    const old = this.#buffer;
    const used = old.length - this.pos;
    const next = Buffer.allocUnsafeSlow(Math.max(old.length * 2, used + need));
    old.copy(next, next.length - used, this.pos);
    this.#use(next);
    this.pos = next.length - used;
  }

  #use(buffer: Buffer<ArrayBuffer>): void {
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer);
  }
}

function varintSize(low: number, high: number): number {
  if (high === 0) {
    if (low < 0x80) return 1;
    if (low < 0x4000) return 2;
    if (low < 0x200000) return 3;
    return low < 0x10000000 ? 4 : 5;
  }
  if (high < 0x8) return 5;
  if (high < 0x400) return 6;
  if (high < 0x20000) return 7;
  if (high < 0x1000000) return 8;
  return high < 0x80000000 ? 9 : 10;
}
