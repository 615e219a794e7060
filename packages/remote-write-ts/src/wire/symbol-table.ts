// The strings of one 2.0 request, each once, and their numbers. A string that series share remembers its number for the request
// it was last used in, so nothing is looked up by text as long as one builder at a time is at work; the table must never hold a
// string twice when there are several. Source: Prometheus Remote-Write 2.0, "Symbols".

import type { SymbolEntry } from '../labels/index.ts';
import { WireWriter } from './writer.ts';

const TAG_SYMBOLS = 0x22;
const MAX_HEADER_BYTES = 6;

/** Each request's number, by which a string knows whether its place is of this request. */
let lastEpoch = 0;
/** The request that was the last to give a string its place. */
let lastToPlace = 0;

export class SymbolTable {
  readonly #out: WireWriter;
  /** By place, less one. Held until `reset`: a string that nobody holds could come back as another object. */
  readonly #entries: SymbolEntry[] = [];
  /** Places by text: only once another request has placed strings since this one began, or for strings of no series. */
  #places: Map<string, number> | undefined;
  #epoch = 0;
  #count = 0;

  constructor(initialBytes: number) {
    this.#out = new WireWriter(initialBytes);
    this.reset();
  }

  /** The number of this request. */
  get epoch(): number {
    return this.#epoch;
  }

  get sizeBytes(): number {
    return this.#out.at;
  }

  /** The field `symbols`. A view: valid until the next string. */
  bytes(): Uint8Array {
    return this.#out.buffer.subarray(0, this.#out.at);
  }

  refOf(entry: SymbolEntry): number {
    return entry.epoch === this.#epoch ? entry.ref : this.#place(entry);
  }

  // For a string whose epoch is another one: new here, or another request has placed it since.
  #place(entry: SymbolEntry): number {
    if (lastToPlace !== this.#epoch) {
      if (this.#entries.length > 0) this.#placesByText();
      lastToPlace = this.#epoch;
    }
    const { text } = entry;
    const known = text === '' ? 0 : this.#places?.get(text);
    if (known === undefined && this.#places === undefined) this.#entries.push(entry);
    entry.epoch = this.#epoch;
    entry.ref = known ?? this.#add(text, entry.bytes);
    return entry.ref;
  }

  /** For a string of no series, such as the id of a trace: it comes once, and nothing is gained by keeping it. */
  refOfText(text: string): number {
    return this.#placesByText().get(text) ?? this.#add(text, Buffer.from(text));
  }

  /** Empties the table and keeps its room. */
  reset(): void {
    this.#out.at = 0;
    this.#entries.length = 0;
    this.#places = undefined;
    this.#epoch = ++lastEpoch;
    this.#count = 0;
    this.#add('', new Uint8Array(0)); // the protocol wants the empty string first
  }

  #placesByText(): Map<string, number> {
    if (this.#places === undefined) {
      this.#places = new Map([['', 0]]);
      // Not by what the strings remember: the other request may have changed it.
      for (let i = 0; i < this.#entries.length; i++) this.#places.set(this.#entries[i]!.text, i + 1);
    }
    return this.#places;
  }

  #add(text: string, bytes: Uint8Array): number {
    const out = this.#out;
    out.reserve(MAX_HEADER_BYTES + bytes.length);
    out.byte(TAG_SYMBOLS);
    out.varint32(bytes.length);
    out.append(bytes, bytes.length);
    this.#places?.set(text, this.#count);
    return this.#count++;
  }
}
