// What the decoders of both protocols give.

import type { NativeHistogram } from '../histogram/index.ts';
import type { MetricType } from '../labels/index.ts';

export interface DecodedSample {
  value: number;
  /** The value's 64 bits: the only way to tell a stale marker (0x7ff0000000000002) from another NaN. */
  bits: bigint;
  /** Milliseconds since the Unix epoch. */
  timestampMs: number;
  /** 2.0 only; missing if not known. */
  startMs?: number;
}

export interface DecodedExemplar extends DecodedSample {
  labels: [name: string, value: string][];
}

/** Unchecked: see `checkHistogram`. */
export interface DecodedHistogram extends NativeHistogram {
  /** The sum's 64 bits: those of the stale marker end the series. */
  sumBits: bigint;
  timestampMs: number;
  /** 2.0 only; missing if not known. */
  startMs?: number;
}

export interface DecodedMetadata {
  type: MetricType;
  help: string;
  unit: string;
}

export interface DecodedSeries {
  /** In the order of the wire. */
  labels: [name: string, value: string][];
  samples: DecodedSample[];
  exemplars: DecodedExemplar[];
  histograms: DecodedHistogram[];
  /** 2.0 only. */
  metadata?: DecodedMetadata;
}

export interface DecodedWriteRequest {
  timeseries: DecodedSeries[];
  /** By metric family; 1.0 only. */
  metadata: ({ family: string } & DecodedMetadata)[];
}
