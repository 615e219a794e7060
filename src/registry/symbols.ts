// Label values as integers: a ByteTable that also knows which of its strings are valid UTF-8. Symbol 0 is the empty string,
// which as a label value means "no such label".

import { ByteTable, isValidUtf8, utf8 } from '../bytes/index.ts';

export const EMPTY_SYMBOL = 0;
const UNKNOWN = 0;
const VALID = 1;
const INVALID = 2;
const ARENA_VIEW = new DataView(new ArrayBuffer(0));

export class Symbols {
  private readonly table = new ByteTable();
  private validity = new Uint8Array(256);

  constructor() {
    this.table.intern(new Uint8Array(0), ARENA_VIEW, 0, 0);
  }

  get count(): number {
    return this.table.count;
  }

  get sizeBytes(): number {
    return this.table.sizeBytes + this.validity.length;
  }

  intern(buf: Uint8Array, view: DataView, start: number, end: number): number {
    return start === end ? EMPTY_SYMBOL : this.table.intern(buf, view, start, end);
  }

  internBytes(bytes: Uint8Array): number {
    return bytes.length === 0 ? EMPTY_SYMBOL : this.table.internBytes(bytes);
  }

  internText(text: string): number {
    return this.internBytes(utf8(text));
  }

  /** A view that is good until the next intern. */
  bytes(symbol: number): Uint8Array {
    return this.table.bytes(symbol);
  }

  isValid(symbol: number): boolean {
    if (symbol >= this.validity.length) {
      const wider = new Uint8Array(Math.max(this.table.count, this.validity.length * 2));
      wider.set(this.validity);
      this.validity = wider;
    }
    if (this.validity[symbol] === UNKNOWN) {
      this.validity[symbol] = isValidUtf8(this.table.bytes(symbol)) ? VALID : INVALID;
    }
    return this.validity[symbol] === VALID;
  }
}
