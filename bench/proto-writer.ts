// Just enough protobuf writing for a corpus (protobuf encoding guide). Not on any measured path.

export class ProtoWriter {
  private buffer = Buffer.alloc(1024);
  private top = 0;

  /** The bytes so far; the writer is empty after this. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.buffer.subarray(0, this.top));
    this.top = 0;
    return taken;
  }

  varint(field: number, value: number): void {
    this.raw(field << 3);
    this.raw(value);
  }

  fixed64(field: number, value: bigint): void {
    this.raw((field << 3) | 1);
    this.room(8);
    this.top = this.buffer.writeBigUInt64LE(value, this.top);
  }

  text(field: number, value: string): void {
    this.bytes(field, Buffer.from(value));
  }

  bytes(field: number, value: Uint8Array): void {
    this.raw((field << 3) | 2);
    this.raw(value.length);
    this.room(value.length);
    this.buffer.set(value, this.top);
    this.top += value.length;
  }

  /** A nested message: its body is what `write` writes. */
  message(field: number, write: () => void): void {
    const start = this.top;
    write();
    const body = Buffer.from(this.buffer.subarray(start, this.top));
    this.top = start;
    this.bytes(field, body);
  }

  /** Body of a KeyValue (opentelemetry-proto, common/v1) with a string or int value. */
  keyValue(key: string, value: string | number): void {
    this.text(1, key);
    this.message(2, () => {
      if (typeof value === 'number') this.varint(3, value);
      else this.text(1, value);
    });
  }

  private raw(value: number): void {
    this.room(5);
    let rest = value;
    while (rest >= 128) {
      this.buffer[this.top++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.buffer[this.top++] = rest;
  }

  private room(bytes: number): void {
    if (this.top + bytes <= this.buffer.length) return;
    const wider = Buffer.alloc((this.top + bytes) * 2);
    this.buffer.copy(wider, 0, 0, this.top);
    this.buffer = wider;
  }
}
