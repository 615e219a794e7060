// A sample of the request that others are copied from: most samples of a request have the same time and, on 2.0, the same metadata,
// so they differ in their value alone. It must be forgotten when the request is.

import type { SeriesMetadata } from '../labels/index.ts';
import { SAMPLE_HEADER_BYTES } from './sample.ts';
import type { WireWriter } from './writer.ts';

/** A copy needs room for so many bytes more than it takes. */
export const COPY_SLACK_BYTES = 3;

export class ModelSample {
  #at = 0;
  #bytes = 0;
  #timestampMs = Number.NaN;
  #startMs = 0;
  #metadata: SeriesMetadata | undefined;

  /** From the field `samples` to the end of its series. */
  get bytes(): number {
    return this.#bytes;
  }

  hasTimes(timestampMs: number, startMs: number): boolean {
    return timestampMs === this.#timestampMs && startMs === this.#startMs;
  }

  hasMetadata(metadata: SeriesMetadata | undefined): boolean {
    return metadata === this.#metadata;
  }

  /** Writes it once more, with another value. */
  copy(out: WireWriter, value: number): void {
    out.repeat(this.#at, this.#bytes, SAMPLE_HEADER_BYTES, value);
  }

  /** The sample that the request ends with, which has no exemplars. */
  set(
    out: WireWriter,
    bytes: number,
    timestampMs: number,
    startMs: number,
    metadata: SeriesMetadata | undefined,
  ): void {
    this.#at = out.at - bytes;
    this.#bytes = bytes;
    this.#timestampMs = timestampMs;
    this.#startMs = startMs;
    this.#metadata = metadata;
  }

  reset(): void {
    this.#timestampMs = Number.NaN;
    this.#metadata = undefined;
  }
}
