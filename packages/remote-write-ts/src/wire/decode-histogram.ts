// Reads the histogram message of both protocols. See FORMAT.md.

import { type BucketSpan, RESET_HINTS } from '../histogram/index.ts';
import type { DecodedHistogram } from './decoded.ts';
import type { WireReader } from './reader.ts';

const WIRE_BYTES = 2;

export function readHistogram(reader: WireReader): DecodedHistogram {
  const histogram: DecodedHistogram = {
    schema: 0,
    isFloat: false,
    count: 0,
    sum: 0,
    sumBits: 0n,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: [],
    positiveCounts: [],
    negativeSpans: [],
    negativeCounts: [],
    timestampMs: 0,
  };
  const spans = { positive: [] as BucketSpan[], negative: [] as BucketSpan[] };
  const deltas = { positive: [] as number[], negative: [] as number[] };
  const counts = { positive: [] as number[], negative: [] as number[] };
  const bounds: number[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x08:
        histogram.count = reader.unsigned();
        break;
      case 0x11:
        histogram.count = reader.double().value;
        histogram.isFloat = true;
        break;
      case 0x19: {
        const { value, bits } = reader.double();
        histogram.sum = value;
        histogram.sumBits = bits;
        break;
      }
      case 0x20:
        histogram.schema = reader.sint64();
        break;
      case 0x29:
        histogram.zeroThreshold = reader.double().value;
        break;
      case 0x30:
        histogram.zeroCount = reader.unsigned();
        break;
      case 0x39:
        histogram.zeroCount = reader.double().value;
        break;
      case 0x42:
        spans.negative.push(readSpan(reader.message()));
        break;
      case 0x5a:
        spans.positive.push(readSpan(reader.message()));
        break;
      case 0x70: {
        const hint = RESET_HINTS[reader.unsigned()];
        if (hint !== undefined && hint !== 'unknown') histogram.resetHint = hint;
        break;
      }
      case 0x78:
        histogram.timestampMs = reader.int64();
        break;
      case 0x88:
        histogram.startMs = reader.int64();
        break;
      default:
        if (!readNumbers(reader, tag, deltas, counts, bounds)) reader.skip(tag);
    }
  }
  histogram.positiveSpans = spans.positive;
  histogram.negativeSpans = spans.negative;
  histogram.positiveCounts = histogram.isFloat ? counts.positive : running(deltas.positive);
  histogram.negativeCounts = histogram.isFloat ? counts.negative : running(deltas.negative);
  if (bounds.length > 0) histogram.customBounds = bounds;
  return histogram;
}

interface Sides {
  positive: number[];
  negative: number[];
}

// Lists of numbers come packed or one by one: both are legal. False for a field that isn't one of them.
function readNumbers(reader: WireReader, tag: number, deltas: Sides, counts: Sides, bounds: number[]): boolean {
  const sint64 = (from: WireReader) => from.sint64();
  const double = (from: WireReader) => from.double().value;
  const lists: Record<number, [into: number[], read: (from: WireReader) => number, wireType: number]> = {
    9: [deltas.negative, sint64, 0],
    10: [counts.negative, double, 1],
    12: [deltas.positive, sint64, 0],
    13: [counts.positive, double, 1],
    16: [bounds, double, 1],
  };
  const list = lists[tag >>> 3];
  if (list === undefined) return false;
  const [into, read, wireType] = list;
  if ((tag & 7) === wireType) {
    into.push(read(reader));
    return true;
  }
  if ((tag & 7) !== WIRE_BYTES) return false;
  for (const packed = reader.message(); !packed.isAtEnd; ) into.push(read(packed));
  return true;
}

function readSpan(reader: WireReader): BucketSpan {
  const span: BucketSpan = { offset: 0, length: 0 };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) span.offset = reader.sint64();
    else if (tag === 0x10) span.length = reader.unsigned();
    else reader.skip(tag);
  }
  return span;
}

function running(deltas: readonly number[]): number[] {
  let count = 0;
  return deltas.map((delta) => {
    count += delta;
    return count;
  });
}
