// Points to a request's body, whichever way they are kept. A run of plain samples is written from its arrays: no point is made
// for it, see bench/end-to-end.ts.

import type { SeriesMetadata } from '../labels/index.ts';
import { type Point, PointEncoder } from '../points/index.ts';
import { type Protocol, WriteRequestBuilder, WriteRequestV2Builder } from '../wire/index.ts';
import { NUMBERS_PER_POINT, type PointRun } from './point-run.ts';

/** Keeps its buffers; one is enough for all that a writer does. */
export class BatchEncoder {
  readonly #points = new PointEncoder();
  /** Of runs; made when there is one: a writer without a queue has none. */
  #v1: WriteRequestBuilder | undefined;
  #v2: WriteRequestV2Builder | undefined;

  encodePoints(protocol: Protocol, points: readonly Point[]): Uint8Array {
    return this.#points.encode(protocol, points);
  }

  encodeRun(protocol: Protocol, run: PointRun): Uint8Array {
    if (run.others !== undefined) return this.#points.encode(protocol, run.points);
    return protocol === '1.0' ? this.#encodeV1(run) : this.#encodeV2(run);
  }

  /** A 1.0 request of metadata alone. */
  encodeMetadata(families: readonly SeriesMetadata[]): Uint8Array {
    return this.#points.encodeMetadata(families);
  }

  #encodeV1(run: PointRun): Uint8Array {
    this.#v1 ??= new WriteRequestBuilder();
    this.#v1.reset();
    addRun(this.#v1, run);
    return this.#v1.finish();
  }

  #encodeV2(run: PointRun): Uint8Array {
    this.#v2 ??= new WriteRequestV2Builder();
    this.#v2.reset();
    addRunV2(this.#v2, run);
    return this.#v2.finish();
  }
}

// Loops and nothing else: code after a loop that was compiled while it ran would be left for the interpreter, each time.

function addRun(builder: WriteRequestBuilder, { series, numbers }: PointRun): void {
  for (let i = 0, at = 0; i < series.length; i++, at += NUMBERS_PER_POINT) {
    builder.addSample(series[i]!, numbers[at]!, numbers[at + 1]!);
  }
}

function addRunV2(builder: WriteRequestV2Builder, { series, numbers }: PointRun): void {
  const extras = { startMs: 0 };
  for (let i = 0, at = 0; i < series.length; i++, at += NUMBERS_PER_POINT) {
    extras.startMs = numbers[at + 2]!;
    builder.addSample(series[i]!, numbers[at]!, numbers[at + 1]!, extras.startMs === 0 ? undefined : extras);
  }
}
