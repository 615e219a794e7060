// Where the values stand in a request that one of this package's builders made: one sample for each series, in one layout. It
// must never be given a request from elsewhere, for it checks nothing.

import { type Protocol, SAMPLE_HEADER_BYTES, TAG_SAMPLES } from '../wire/index.ts';

const TAG_TIMESERIES: Record<Protocol, number> = { '1.0': 0x0a, '2.0': 0x2a };

/** @returns where the eight bytes of each value begin, ascending. */
export function valuePlaces(request: Uint8Array, protocol: Protocol, seriesCount: number): Uint32Array {
  const places = new Uint32Array(seriesCount);
  const cursor = new FieldCursor(request);
  let found = 0;
  while (cursor.at < request.length) {
    const isSeries = request[cursor.at] === TAG_TIMESERIES[protocol];
    cursor.enter();
    const { end } = cursor;
    if (isSeries) {
      while (request[cursor.at] !== TAG_SAMPLES) cursor.skip(); // the labels
      places[found++] = cursor.at + SAMPLE_HEADER_BYTES;
    }
    cursor.at = end;
  }
  return places;
}

/** Stands before a field whose content has a length in front. */
class FieldCursor {
  at = 0;
  /** Of the field that was entered. */
  end = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Goes to the field's content. */
  enter(): void {
    let length = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = this.#bytes[++this.at]!;
      length |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    this.at++;
    this.end = this.at + length;
  }

  skip(): void {
    this.enter();
    this.at = this.end;
  }
}
